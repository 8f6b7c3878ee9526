//! Records on their way to standard output.

use super::format::Format;
use super::record::Record;
use super::screen::Screen;
use super::{table, yaml};
use longshore::core::{Clock, SystemClock};
use std::io::{BufWriter, Stdout, Write};
use std::marker::PhantomData;

/// Prints records as they come; a table page by page.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    format: Format,
    /// One thing was asked for: it is no list of one.
    single: bool,
    /// All that is known of it instead of a row.
    detailed: bool,
    screen: Screen,
    out: BufWriter<Stdout>,
    rows: Vec<Vec<super::Cell>>,
    printed: u64,
    /// Whether the titles of a table are out.
    titled: bool,
    of: PhantomData<fn(&T)>,
}

impl<T: Record> Listing<T> {
    pub(super) fn new(format: Format, single: bool) -> Self {
        Self {
            format,
            single,
            detailed: false,
            screen: Screen::of_stdout(),
            out: BufWriter::new(std::io::stdout()),
            rows: Vec::new(),
            printed: 0,
            titled: false,
            of: PhantomData,
        }
    }

    /// Shows all that is known of each.
    pub(crate) fn detailed(mut self) -> Self {
        self.detailed = true;
        self
    }

    fn columns(&self) -> impl Iterator<Item = usize> + 'static {
        let wide = self.format == Format::Wide;
        T::COLUMNS
            .iter()
            .enumerate()
            .filter(move |(_, column)| wide || !column.wide)
            .map(|(at, _)| at)
    }

    /// Prints one.
    pub(crate) fn push(&mut self, record: &T) -> std::io::Result<()> {
        match self.format {
            Format::Table | Format::Wide if self.detailed => {
                if self.printed > 0 {
                    writeln!(self.out)?;
                }
                let details = table::details(&record.details(), self.screen, SystemClock.now());
                self.out.write_all(details.as_bytes())?;
            }
            Format::Table | Format::Wide => {
                let mut cells = record.cells();
                let row =
                    self.columns().map(|at| std::mem::replace(&mut cells[at], super::Cell::Empty));
                let row = row.collect();
                self.rows.push(row);
            }
            Format::Json => {
                let text = serde_json::to_string_pretty(record)?;
                if self.single {
                    writeln!(self.out, "{text}")?;
                } else {
                    let before = if self.printed == 0 { "[\n  " } else { ",\n  " };
                    self.out.write_all(before.as_bytes())?;
                    self.out.write_all(text.replace('\n', "\n  ").as_bytes())?;
                }
            }
            Format::Jsonl => {
                // A payload may have been sent with line breaks between its parts; within texts
                // JSON has none.
                let text = serde_json::to_string(record)?.replace(['\n', '\r'], " ");
                writeln!(self.out, "{text}")?;
            }
            Format::Yaml => {
                let text = yaml(record)?;
                if self.single {
                    self.out.write_all(text.as_bytes())?;
                } else {
                    write!(self.out, "-\n  {}\n", text.trim_end().replace('\n', "\n  "))?;
                }
            }
            Format::Name => writeln!(self.out, "{}", record.name())?,
        }
        self.printed += 1;
        Ok(())
    }

    /// Lets out what there is, so that it is seen while more comes.
    pub(crate) fn flush(&mut self) -> std::io::Result<()> {
        if !self.rows.is_empty() {
            self.draw()?;
        }
        self.out.flush()
    }

    /// Ends the list.
    pub(crate) fn finish(mut self) -> std::io::Result<()> {
        match self.format {
            Format::Table | Format::Wide if !self.detailed && self.wants_a_table() => {
                self.draw()?;
            }
            Format::Json if !self.single => {
                let end = if self.printed == 0 { "[]\n" } else { "\n]\n" };
                self.out.write_all(end.as_bytes())?;
            }
            Format::Yaml if !self.single && self.printed == 0 => self.out.write_all(b"[]\n")?,
            _ => {}
        }
        self.out.flush()
    }

    /// Whether there is anything to draw: a program is told the columns even of nothing.
    fn wants_a_table(&self) -> bool {
        !self.rows.is_empty() || (!self.titled && self.screen == Screen::Pipe)
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let titles: Vec<&str> = self.columns().map(|at| T::COLUMNS[at].title).collect();
        let titles = (!self.titled).then_some(titles.as_slice());
        let rows = std::mem::take(&mut self.rows);
        let text = table::rows(titles, &rows, self.screen, SystemClock.now());
        self.titled = true;
        self.out.write_all(text.as_bytes())
    }

    /// Returns how many were printed.
    pub(crate) fn printed(&self) -> u64 {
        self.printed
    }

    /// Whether a person reads it.
    pub(crate) fn is_for_people(&self) -> bool {
        self.screen != Screen::Pipe && matches!(self.format, Format::Table | Format::Wide)
    }
}
