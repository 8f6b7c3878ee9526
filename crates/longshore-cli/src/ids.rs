//! Ids of tasks from the command line, or from the lines of standard input.

use crate::failure::Failure;
use longshore::core::TaskId;
use std::collections::HashSet;
use std::io::BufRead;

/// Reads ids; `-` stands for the lines of standard input. What is named twice counts once.
pub(crate) fn read(words: &[String]) -> Result<Vec<TaskId>, Failure> {
    let mut ids = Vec::new();
    for word in words {
        if word != "-" {
            ids.push(id(word, "")?);
            continue;
        }
        for (line, text) in std::io::stdin().lock().lines().enumerate() {
            let text = text.map_err(Failure::system("cannot read standard input"))?;
            let text = text.trim();
            if !text.is_empty() {
                ids.push(id(text, &format!("standard input, line {}: ", line + 1))?);
            }
        }
    }
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

fn id(text: &str, place: &str) -> Result<TaskId, Failure> {
    text.parse().map_err(|_| {
        Failure::Usage(format!(
            "{place}{text:?} is not a task id: it must be a UUID, as `longshore tasks ls` shows them"
        ))
    })
}
