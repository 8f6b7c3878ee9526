//! Reads a document by the table of keys, and collects everything that is wrong with it.

use super::block::{Block, Content, Placed, join};
use super::fault::Fault;
use super::form::{Form, Leaf, Names};
use super::keys::{Key, Preset, ROOT, Shape, When};
use super::node::{Entry, Node, Value};
use super::origin::Origin;
use super::prints::Prints;
use super::sources::Sources;
use super::{address, yaml};
use longshore_runtime::nearest::nearest;
use std::path::Path;

/// Reads one document.
#[derive(Debug)]
pub(super) struct Reader<'s> {
    pub(super) sources: &'s Sources,
    pub(super) faults: Vec<Fault>,
    /// The files that had a part in it.
    pub(super) files: Prints,
}

impl<'s> Reader<'s> {
    pub(super) fn new(sources: &'s Sources, files: Prints, faults: Vec<Fault>) -> Self {
        Self { sources, faults, files }
    }

    /// Notes that a file has a part in the configuration: before it is read, so that a change in
    /// between is seen as one rather than missed.
    pub(super) fn note(&mut self, file: &Path) {
        self.files.note(file);
    }

    /// Reads the whole document. What is wrong is left out and told in `faults`.
    pub(super) fn document(&mut self, node: &Node) -> Block {
        let node = self.is_block(node, "").then_some(node);
        self.block(ROOT, node, "", &Origin::Default)
    }

    /// Tells a fault.
    pub(super) fn fault(&mut self, key: &str, origin: &Origin, message: impl Into<String>) {
        let fault = Fault { key: key.into(), origin: origin.clone(), message: message.into() };
        self.faults.push(fault);
    }

    fn block(&mut self, keys: &[Key], node: Option<&Node>, path: &str, origin: &Origin) -> Block {
        let given = node.map_or(&[][..], Node::entries);
        for entry in given {
            if !keys.iter().any(|key| key.name == entry.key) {
                let known = keys.iter().filter(|key| !matches!(key.shape, Shape::Later));
                let message = unknown(&entry.key, known.map(|key| key.name).collect());
                self.fault(&join(path, &entry.key), &entry.origin, message);
            }
        }
        let mut block = Block { path: path.into(), origin: origin.clone(), entries: Vec::new() };
        for key in keys {
            let entry = given.iter().find(|entry| entry.key == key.name);
            if let Some(placed) = self.key(key, entry, path, origin) {
                block.entries.push(placed);
            }
        }
        self.judge_places(keys, &mut block);
        block
    }

    /// Whether a value can be a block of keys; tells if not. An empty value is an empty block.
    fn is_block(&mut self, node: &Node, path: &str) -> bool {
        let fits = matches!(node.value, Value::Map(_) | Value::Null);
        if !fits {
            let message = format!("must be a block of keys, not {}", node.value.noun());
            self.fault(path, &node.origin, message);
        }
        fits
    }

    fn key(&mut self, key: &Key, entry: Option<&Entry>, path: &str, at: &Origin) -> Option<Placed> {
        let path = join(path, key.name);
        let Some(entry) = entry else { return self.preset(key, &path, at) };
        let node = &entry.node;
        let content = match &key.shape {
            Shape::Later => {
                let message = "is not available yet in this version; leave it out";
                self.fault(&path, &entry.origin, message);
                Content::Bad
            }
            Shape::Block(_) | Shape::Named { .. } | Shape::Pairs { .. }
                if !self.is_block(node, &path) =>
            {
                Content::Bad
            }
            Shape::WordOrBlock { words, keys } => match &node.value {
                Value::Map(_) => Content::Block(self.block(keys, Some(node), &path, &entry.origin)),
                _ => {
                    let form = Form::Choice(words);
                    self.leaf(form, node, &path).map_or(Content::Bad, Content::Leaf)
                }
            },
            Shape::Block(keys) => {
                Content::Block(self.block(keys, Some(node), &path, &entry.origin))
            }
            Shape::Named { names, keys } => {
                Content::Block(self.named(*names, keys, node, &path, &entry.origin))
            }
            Shape::Pairs { names, of, max } => {
                Content::Block(self.pairs(*names, *of, *max, node, &path, &entry.origin))
            }
            Shape::One(form) => self.leaf(*form, node, &path).map_or(Content::Bad, Content::Leaf),
            Shape::List { of, max } => self.list(*of, *max, false, node, &path),
            Shape::OneOrMore { of, max } => self.list(*of, *max, true, node, &path),
            Shape::Blocks { keys, max } => self.blocks(keys, *max, node, &path),
        };
        let origin = match content {
            Content::Leaf(_) | Content::List(_) => node.origin.clone(),
            _ => entry.origin.clone(),
        };
        Some(Placed { name: key.name.into(), origin, content })
    }

    /// What holds of a key that was not given.
    fn preset(&mut self, key: &Key, path: &str, at: &Origin) -> Option<Placed> {
        let origin = Origin::Default;
        let content = match (&key.shape, key.preset) {
            (_, Preset::Required) => {
                self.fault(path, at, "is missing");
                Content::Bad
            }
            (Shape::One(form), Preset::Is(text)) => {
                let node = Node { value: Value::Raw(text.into()), origin: origin.clone() };
                self.leaf(*form, &node, path).map_or(Content::Bad, Content::Leaf)
            }
            // Blocks that hold defaults; those that only make sense beside another key go again.
            (Shape::Block(keys), _) => Content::Block(self.block(keys, None, path, &origin)),
            (Shape::Named { names: Names::Queue, keys }, _) => {
                let node = Node::empty(origin.clone());
                Content::Block(self.named(Names::Queue, keys, &node, path, &origin))
            }
            _ => return None,
        };
        Some(Placed { name: key.name.into(), origin, content })
    }

    /// Keys that make sense beside others only.
    fn judge_places(&mut self, keys: &[Key], block: &mut Block) {
        for key in keys {
            let Some(reason) = misplaced(key.when, block) else { continue };
            if block.has(key.name) {
                let (path, origin) = (block.path_of(key.name), block.origin_of(key.name));
                self.fault(&path, &origin, reason);
            }
            block.entries.retain(|entry| entry.name != key.name);
        }
    }

    fn named(&mut self, names: Names, keys: &[Key], node: &Node, path: &str, at: &Origin) -> Block {
        let mut entries = Vec::new();
        for entry in node.entries() {
            let path = join(path, &entry.key);
            if let Err(why) = names.check(&entry.key) {
                self.fault(&path, &entry.origin, why);
                continue;
            }
            let content = if self.is_block(&entry.node, &path) {
                Content::Block(self.block(keys, Some(&entry.node), &path, &entry.origin))
            } else {
                Content::Bad
            };
            let (name, origin) = (entry.key.clone(), entry.origin.clone());
            entries.push(Placed { name, origin, content });
        }
        if names == Names::Queue && !entries.iter().any(|entry| entry.name == "default") {
            let origin = Origin::Default;
            let block = self.block(keys, None, &join(path, "default"), &origin);
            entries.insert(
                0,
                Placed { name: "default".into(), origin, content: Content::Block(block) },
            );
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Block { path: path.into(), origin: at.clone(), entries }
    }

    fn pairs(
        &mut self,
        names: Names,
        of: Form,
        max: usize,
        node: &Node,
        path: &str,
        at: &Origin,
    ) -> Block {
        let given = node.entries();
        if given.len() > max {
            self.fault(path, at, format!("must have at most {max} entries, not {}", given.len()));
        }
        let mut entries: Vec<Placed> = Vec::new();
        for entry in given {
            let path = join(path, &entry.key);
            if let Err(why) = names.check(&entry.key) {
                self.fault(&path, &entry.origin, why);
            } else if entries.iter().any(|other| other.name.eq_ignore_ascii_case(&entry.key)) {
                self.fault(&path, &entry.origin, "is given twice");
            } else if let Some(leaf) = self.leaf(of, &entry.node, &path) {
                if let Err(why) = names.check_value(&leaf) {
                    self.fault(&path, &entry.node.origin, why);
                }
                let (name, origin) = (entry.key.clone(), entry.node.origin.clone());
                entries.push(Placed { name, origin, content: Content::Leaf(leaf) });
            }
        }
        Block { path: path.into(), origin: at.clone(), entries }
    }

    fn list(&mut self, of: Form, max: usize, bare: bool, node: &Node, path: &str) -> Content {
        let Some(node) = self.spelled_out(node, path) else { return Content::Bad };
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ if bare => std::slice::from_ref(&*node),
            other => {
                let message =
                    format!("must be a list such as [\"a\", \"b\"], not {}", other.noun());
                self.fault(path, &node.origin, message);
                return Content::Bad;
            }
        };
        if items.is_empty() || items.len() > max {
            let message = format!("must have 1..{max} entries, not {}", items.len());
            self.fault(path, &node.origin, message);
            return Content::Bad;
        }
        let leaves: Vec<Option<Leaf>> = items
            .iter()
            .enumerate()
            .map(|(place, item)| match items {
                [_] if bare => self.leaf(of, item, path),
                _ => self.leaf(of, item, &format!("{path}[{place}]")),
            })
            .collect();
        leaves.into_iter().collect::<Option<Vec<Leaf>>>().map_or(Content::Bad, Content::List)
    }

    fn blocks(&mut self, keys: &[Key], max: usize, node: &Node, path: &str) -> Content {
        let Some(node) = self.spelled_out(node, path) else { return Content::Bad };
        let Value::List(items) = &node.value else {
            let message = format!("must be a list of blocks, not {}", node.value.noun());
            self.fault(path, &node.origin, message);
            return Content::Bad;
        };
        if items.len() > max {
            let message = format!("must have at most {max} entries, not {}", items.len());
            self.fault(path, &node.origin, message);
            return Content::Bad;
        }
        let mut blocks = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let path = format!("{path}[{place}]");
            if self.is_block(item, &path) {
                blocks.push(self.block(keys, Some(item), &path, &item.origin));
            }
        }
        Content::Blocks(blocks)
    }

    /// A list in a variable is written in one line, as in YAML or JSON.
    fn spelled_out<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
    ) -> Option<std::borrow::Cow<'n, Node>> {
        let Value::Raw(text) = &node.value else { return Some(std::borrow::Cow::Borrowed(node)) };
        match yaml::parse_line(text, &node.origin) {
            Ok(node) => Some(std::borrow::Cow::Owned(node)),
            Err(why) => {
                self.fault(path, &node.origin, format!("is no list as in YAML: {why}"));
                None
            }
        }
    }

    fn leaf(&mut self, form: Form, node: &Node, path: &str) -> Option<Leaf> {
        let read = match &node.value {
            Value::Null => Err("has no value; give one, or leave the key out".into()),
            value => form.read(value).and_then(|leaf| self.settle(form, leaf, &node.origin)),
        };
        read.map_err(|why| self.fault(path, &node.origin, why)).ok()
    }

    /// The forms that need variables, folders or files.
    fn settle(&mut self, form: Form, leaf: Leaf, origin: &Origin) -> Result<Leaf, String> {
        let Leaf::Text(text) = &leaf else { return Ok(leaf) };
        match form {
            Form::Path => Ok(Leaf::Path(self.sources.folder_of(origin).join(text))),
            Form::File => {
                let path = text.strip_prefix("file:").filter(|path| !path.is_empty());
                let path = path.ok_or_else(|| {
                    format!("must begin with \"file:\", such as \"file:./keys\", not \"{text}\"")
                })?;
                let path = self.sources.folder_of(origin).join(path);
                self.note(&path);
                Ok(Leaf::File(path))
            }
            Form::Secret => {
                let file = text
                    .strip_prefix("file:")
                    .map(|path| self.sources.folder_of(origin).join(path));
                if let Some(file) = &file {
                    self.note(file);
                }
                address::secret(text, file.as_deref(), self.sources).map(Leaf::Secret)
            }
            Form::Url => address::url(text, self.sources).map(Leaf::Address),
            Form::Store => address::store(text, self.sources, origin).map(Leaf::Address),
            Form::Broker => address::broker(text, self.sources).map(Leaf::Address),
            _ => Ok(leaf),
        }
    }
}

/// Says why a key does not belong where it stands, if so.
fn misplaced(when: When, block: &Block) -> Option<String> {
    match when {
        When::Always => None,
        When::Beside(other) => {
            (!block.has(other)).then(|| format!("makes sense beside `{other}` only"))
        }
        When::OneOf(other, values) => {
            // If the other is wrong, that is told; nothing can be said about this one.
            let value = block.text(other)?;
            let fits = values.contains(&value);
            (!fits).then(|| format!("makes sense with `{other}: {}` only", values.join(" | ")))
        }
    }
}

fn unknown(name: &str, known: Vec<&str>) -> String {
    match nearest(name, known.iter().copied()).first() {
        Some(near) => format!("unknown key; did you mean \"{near}\"?"),
        None => format!("unknown key; there is: {}", known.join(", ")),
    }
}
