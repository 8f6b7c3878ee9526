//! The fenced blocks of a page.

use libtest_mimic::Trial;

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its first fence, from 1.
    pub(crate) line: usize,
    /// The word after the fence, such as `console`.
    pub(crate) language: String,
    /// The file that it is, if a comment before it names one.
    pub(crate) file: Option<String>,
    pub(crate) text: String,
}

/// A command of a block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    /// What is shown of its output; nothing if it is not shown.
    pub(crate) shown: Option<String>,
}

/// Reads all blocks of a page.
pub(crate) fn read(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut file = None;
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match &mut open {
            Some(block) if line.trim_end() != "```" => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            Some(_) => blocks.extend(open.take()),
            None if line.starts_with("```") => {
                let language = line.trim_start_matches('`').trim().to_owned();
                let (line, file) = (number + 1, file.take());
                open = Some(Block { line, language, file, text: String::new() });
            }
            None => {
                let name =
                    line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->"));
                if !line.trim().is_empty() {
                    file = name.map(str::to_owned);
                }
            }
        }
    }
    blocks
}

impl Block {
    /// Returns its commands; none if it is no block of commands.
    pub(crate) fn steps(&self) -> Vec<Step> {
        match self.language.as_str() {
            "console" => self.console(),
            "sh" => {
                let lines = self.text.lines().filter(|line| !line.trim().is_empty());
                lines.map(|line| Step { command: line.to_owned(), shown: None }).collect()
            }
            _ => Vec::new(),
        }
    }

    fn console(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            let step = steps.last_mut();
            match (line.strip_prefix("$ "), step) {
                (Some(command), _) => {
                    steps.push(Step { command: command.to_owned(), shown: Some(String::new()) });
                }
                (None, Some(step)) if goes_on => {
                    step.command.push('\n');
                    step.command.push_str(line.strip_prefix("> ").unwrap_or(line));
                }
                (None, Some(Step { shown: Some(shown), .. })) => {
                    shown.push_str(line);
                    shown.push('\n');
                    continue;
                }
                (None, _) => continue,
            }
            goes_on = line.ends_with('\\');
        }
        steps
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("blocks::commands_are_read_with_what_they_print", || {
            let page = "text\n<!-- file: a.yaml -->\n```yaml\na: 1\n```\n```console\n$ one \\\n>   two\nout\n$ three\n```\n";
            let blocks = read(page);
            let files: Vec<_> = blocks.iter().map(|block| block.file.as_deref()).collect();
            assert_eq!(files, [Some("a.yaml"), None]);
            let steps = blocks[1].steps();
            assert_eq!(steps[0].command, "one \\\n  two");
            assert_eq!(steps[0].shown.as_deref(), Some("out\n"));
            assert_eq!(steps[1].shown.as_deref(), Some(""));
            Ok(())
        }),
        Trial::test("blocks::a_comment_names_the_next_block_alone", || {
            let blocks = read("<!-- file: a -->\ntext between\n```text\nx\n```\n");
            assert_eq!(blocks[0].file, None);
            Ok(())
        }),
    ]
}
