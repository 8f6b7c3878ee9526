//! The items of a JSON array, split off while its bytes arrive.
//!
//! Only what separates items is looked at: brackets, commas and strings. Whether an item is JSON is
//! for whoever reads it.

use crate::codes;
use crate::problem::Problem;
use bytes::{Bytes, BytesMut};

/// One item of the array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// Its text, without the space around it.
    Text(Bytes),
    /// It has more bytes than an item may have.
    TooLarge,
    /// It is nested deeper than an item may be.
    TooDeep,
}

/// Splits an array that comes in pieces.
#[derive(Debug)]
pub(crate) struct Items {
    max_bytes: usize,
    max_depth: usize,
    stage: Stage,
    /// The beginning of an item whose end has not come.
    begun: BytesMut,
    /// Brackets that are open inside the item, as what would close them.
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    too_large: bool,
    too_deep: bool,
    /// Bytes that were taken so far.
    taken: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The opening bracket has not come.
    Before,
    /// Right after the opening bracket: there may be no item at all.
    First,
    /// After a comma: there must be an item.
    Next,
    /// The closing bracket has come.
    After,
}

impl Items {
    /// Splits an array whose items may have so many bytes and so many levels.
    pub(crate) fn new(max_bytes: usize, max_depth: usize) -> Self {
        Self {
            max_bytes,
            max_depth,
            stage: Stage::Before,
            begun: BytesMut::new(),
            open: Vec::new(),
            in_string: false,
            escaped: false,
            too_large: false,
            too_deep: false,
            taken: 0,
        }
    }

    /// Takes the next piece and hands out the items that end in it.
    pub(crate) fn feed(
        &mut self,
        piece: &Bytes,
        mut each: impl FnMut(Item) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut start = 0;
        for (i, byte) in piece.iter().copied().enumerate() {
            match self.stage {
                Stage::Before if byte.is_ascii_whitespace() => {}
                Stage::Before if byte == b'[' => {
                    self.stage = Stage::First;
                    start = i + 1;
                }
                Stage::Before => return Err(self.no_array(byte)),
                Stage::After if byte.is_ascii_whitespace() => {}
                Stage::After => return Err(self.malformed(i, "there is something after the array")),
                Stage::First | Stage::Next => {
                    let ends = self.step(byte).map_err(|what| self.malformed(i, what))?;
                    if !ends {
                        continue;
                    }
                    let item = self.cut(piece.slice(start..i));
                    start = i + 1;
                    let first = self.stage == Stage::First;
                    match item {
                        Some(item) => each(item)?,
                        None if first && byte == b']' => {}
                        None => return Err(self.malformed(i, "an item is missing")),
                    }
                    self.stage = if byte == b']' { Stage::After } else { Stage::Next };
                }
            }
        }
        if matches!(self.stage, Stage::First | Stage::Next) {
            self.keep(&piece[start.min(piece.len())..]);
        }
        self.taken += piece.len();
        Ok(())
    }

    /// Ends the reading: an error if the array did not end.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.stage {
            Stage::After => Ok(()),
            Stage::Before => Err(Problem::new(
                &codes::MALFORMED,
                "the body is empty; send a JSON array (line 1, column 1)",
            )),
            Stage::First | Stage::Next => Err(self.malformed(0, "the array does not end")),
        }
    }

    /// Looks at one byte inside the array; returns whether it ends an item.
    fn step(&mut self, byte: u8) -> Result<bool, &'static str> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Ok(false);
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' => self.open(b'}'),
            b'[' => self.open(b']'),
            b',' | b']' if self.open.is_empty() => return Ok(true),
            b'}' | b']' if self.open.pop() != Some(byte) => return Err("a bracket does not match"),
            _ => {}
        }
        Ok(false)
    }

    fn open(&mut self, closer: u8) {
        self.open.push(closer);
        self.too_deep |= self.open.len() > self.max_depth;
    }

    /// Keeps the beginning of an item, unless nobody will want it.
    fn keep(&mut self, part: &[u8]) {
        let part = if self.begun.is_empty() { part.trim_ascii_start() } else { part };
        self.too_large |= self.begun.len() + part.len() > self.max_bytes;
        if self.too_large || self.too_deep {
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    /// Makes the item that ends with `rest`; nothing if there is only space. An item that lies in
    /// one piece is not copied.
    fn cut(&mut self, rest: Bytes) -> Option<Item> {
        let (too_large, too_deep) = (self.too_large, self.too_deep);
        (self.too_large, self.too_deep) = (false, false);
        let whole = if self.begun.is_empty() {
            rest
        } else {
            self.begun.extend_from_slice(&rest);
            self.begun.split().freeze()
        };
        let text = whole.trim_ascii();
        if too_large || text.len() > self.max_bytes {
            return Some(Item::TooLarge);
        }
        if too_deep {
            return Some(Item::TooDeep);
        }
        (!text.is_empty()).then(|| Item::Text(whole.slice_ref(text)))
    }

    fn malformed(&self, at: usize, what: &str) -> Problem {
        let message = format!("the body is no JSON: {what} (byte {})", self.taken + at);
        Problem::new(&codes::MALFORMED, message)
    }

    fn no_array(&self, byte: u8) -> Problem {
        let what = match byte {
            b'{' => "an object",
            b'"' => "a string",
            b't' | b'f' => "a boolean",
            b'n' => "null",
            b'-' | b'0'..=b'9' => "a number",
            _ => return self.malformed(0, "it must begin with ["),
        };
        Problem::new(&codes::INVALID, format!("the body must be a JSON array, is {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &str, pieces: usize) -> Result<Vec<String>, u32> {
        let mut items = Items::new(20, 3);
        let mut found = Vec::new();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let mut feed = |piece: Bytes| {
            items.feed(&piece, |item| {
                found.push(match item {
                    Item::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    other => format!("{other:?}"),
                });
                Ok(())
            })
        };
        let size = body.len().div_ceil(pieces).max(1);
        let fed = (0..body.len())
            .step_by(size)
            .try_for_each(|at| feed(body.slice(at..body.len().min(at + size))));
        fed.and_then(|()| items.finish()).map_err(|problem| problem.code().number)?;
        Ok(found)
    }

    #[test]
    fn items_are_the_same_however_the_bytes_arrive() {
        let body = r#" [ {"a":"],[\"}" }, 1 ,[2,[3]],"\\", {"b": {"c":[]} } ,null ] "#;
        let whole = split(body, 1).unwrap();
        let expected =
            [r#"{"a":"],[\"}" }"#, "1", "[2,[3]]", r#""\\""#, r#"{"b": {"c":[]} }"#, "null"];
        assert_eq!(whole, expected);
        for pieces in 2..=body.len() {
            assert_eq!(split(body, pieces).unwrap(), whole, "{pieces} pieces");
        }
    }

    #[test]
    fn an_item_too_large_or_too_deep_is_told_and_the_others_stay() {
        let large = format!("[1,\"{}\",2,[[[[]]]],3]", "x".repeat(30));
        for pieces in [1, 2, 7, large.len()] {
            let found = split(&large, pieces).unwrap();
            assert_eq!(found, ["1", "TooLarge", "2", "TooDeep", "3"], "{pieces}");
        }
    }

    #[test]
    fn an_array_may_be_empty_but_has_no_holes() {
        assert_eq!(split(" [ ] ", 2).unwrap(), Vec::<String>::new());
        for hole in ["[,]", "[1,]", "[,1]", "[1,,2]", "[", "[1", "[1]]", "[1] 2", "[{]}]", "x", ""]
        {
            for pieces in 1..=hole.len().max(1) {
                assert_eq!(split(hole, pieces), Err(40002), "{hole}");
            }
        }
    }

    #[test]
    fn what_is_no_array_is_named() {
        for other in ["{}", "1", "null", "true", "\"[]\""] {
            assert_eq!(split(other, 1), Err(40001), "{other}");
        }
    }
}
