//! Tables: for people with the width and the colours of their terminal, for programs with tabs.

use super::cell::{Cell, Tone};
use super::screen::Screen;
use comfy_table::{CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width};
use longshore::core::Timestamp;

/// Spaces between columns.
const GAP: u16 = 2;

/// Draws rows under their titles; `titles` are left out where they were drawn before.
pub(super) fn rows(
    titles: Option<&[&str]>,
    rows: &[Vec<Cell>],
    on: Screen,
    now: Timestamp,
) -> String {
    let Screen::Terminal { width, colour } = on else {
        let lines = rows.iter().map(|row| tabbed(row.iter().map(Cell::exact)));
        let titles = titles.map(|titles| tabbed(titles.iter().map(|title| (*title).to_owned())));
        return titles.into_iter().chain(lines).collect();
    };
    let mut table = plain(width, colour);
    if let Some(titles) = titles {
        table.set_header(titles.iter().map(|title| toned(title, Tone::Faint, colour)));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| drawn(cell, now, colour)));
    }
    constrain(&mut table, titles.unwrap_or_default(), rows, width);
    finished(table)
}

/// Draws labels and what stands behind them.
pub(super) fn details(lines: &[(&str, Cell)], on: Screen, now: Timestamp) -> String {
    let Screen::Terminal { width, colour } = on else {
        return lines.iter().map(|(label, cell)| format!("{label}\t{}\n", cell.exact())).collect();
    };
    let mut table = plain(width, colour);
    for (label, cell) in lines {
        let value = drawn(cell, now, colour).set_alignment(CellAlignment::Left);
        table.add_row([toned(label, Tone::Faint, colour), value]);
    }
    keep(&mut table, 0);
    finished(table)
}

fn tabbed(cells: impl Iterator<Item = String>) -> String {
    let mut line = cells.collect::<Vec<_>>().join("\t");
    line.push('\n');
    line
}

/// A table without lines, two spaces between its columns.
fn plain(width: u16, colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    if colour {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table
}

/// Says which columns may be broken into lines: ids never, so that they can be copied. Where there
/// is room only the last one; else texts, down to their titles; else all.
fn constrain(table: &mut Table, titles: &[&str], rows: &[Vec<Cell>], width: u16) {
    let contents = table.column_max_content_widths();
    let title = |at: usize| titles.get(at).map_or(0, |title| title.len() as u16) + GAP;
    let is_text = |at: usize| rows.iter().any(|row| matches!(row[at], Cell::Text(_)));
    let last = contents.len().saturating_sub(1);
    let breakable = |level: u8, at: usize| match level {
        0 => at == last,
        1 => is_text(at),
        _ => true,
    };
    let constraint = |level: u8, at: usize| match at > 0 && breakable(level, at) {
        true => ColumnConstraint::LowerBoundary(Width::Fixed(title(at))),
        false => ColumnConstraint::ContentWidth,
    };
    let needed = |level: u8| {
        let of = |(at, content): (usize, &u16)| match constraint(level, at) {
            ColumnConstraint::ContentWidth => u32::from(*content) + u32::from(GAP),
            _ => u32::from(title(at)),
        };
        contents.iter().enumerate().map(of).sum::<u32>()
    };
    let level = (0..2).find(|level| needed(*level) <= u32::from(width)).unwrap_or(2);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_constraint(constraint(level, at));
    }
}

/// Never breaks what stands in this column.
fn keep(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

fn finished(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn drawn(cell: &Cell, now: Timestamp, colour: bool) -> comfy_table::Cell {
    let text = cell.human(now);
    match cell {
        Cell::Toned(_, tone) => toned(&text, *tone, colour),
        Cell::Number(_) => comfy_table::Cell::new(text).set_alignment(CellAlignment::Right),
        Cell::Empty => toned(&text, Tone::Faint, colour),
        _ => comfy_table::Cell::new(text),
    }
}

fn toned(text: &str, tone: Tone, colour: bool) -> comfy_table::Cell {
    let cell = comfy_table::Cell::new(text);
    if !colour {
        return cell;
    }
    cell.fg(match tone {
        Tone::Good => Color::Green,
        Tone::Bad => Color::Red,
        Tone::Busy => Color::Cyan,
        Tone::Careful => Color::Yellow,
        Tone::Faint => Color::DarkGrey,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore::core::State;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn some() -> Vec<Vec<Cell>> {
        let at = Timestamp(NOW.0 - 180_000);
        vec![
            vec![
                Cell::text("a".to_owned()),
                Cell::state(State::Failed),
                Cell::Number(7),
                Cell::Time(at),
            ],
            vec![Cell::text("b".to_owned()), Cell::Empty, Cell::Number(12), Cell::Empty],
        ]
    }

    const TITLES: &[&str] = &["ID", "STATUS", "COUNT", "CREATED"];

    #[test]
    fn people_read_aligned_columns_and_how_long_ago() {
        let on = Screen::Terminal { width: 80, colour: false };
        let text = rows(Some(TITLES), &some(), on, NOW);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), TITLES);
        assert!(lines[1].contains("failed      7  3m ago"), "{text}");
        assert!(lines[2].contains("-          12  -"), "{text}");
    }

    #[test]
    fn programs_read_tabs_and_exact_times() {
        let text = rows(Some(TITLES), &some(), Screen::Pipe, NOW);
        assert_eq!(
            text,
            "ID\tSTATUS\tCOUNT\tCREATED\na\tfailed\t7\t2027-01-15T07:57:00.000Z\nb\t\t12\t\n"
        );
    }

    #[test]
    fn a_colour_only_underlines_the_word() {
        let text = rows(None, &some(), Screen::Terminal { width: 80, colour: true }, NOW);
        assert!(text.contains("\u{1b}[38;5;9mfailed"), "{text:?}");
    }

    #[test]
    fn only_the_last_column_is_broken_where_there_is_room() {
        let on = Screen::Terminal { width: 60, colour: false };
        let row = vec![Cell::text("x".repeat(20)), Cell::text("demo.work".to_owned())];
        let row = [row, vec![Cell::text("many words ".repeat(9))]].concat();
        let text = rows(Some(&["ID", "KIND", "NOTE"]), &[row], on, NOW);
        assert!(text.lines().count() > 2, "{text}");
        assert!(text.contains("  demo.work  many words"), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = vec![vec![Cell::text("x".repeat(36)), Cell::text("many words ".repeat(20))]];
        let text =
            rows(Some(&["ID", "NOTE"]), &long, Screen::Terminal { width: 60, colour: false }, NOW);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains(&"x".repeat(36)), "{text}");
    }
}
