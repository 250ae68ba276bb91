//! Where words go: answers to the output, complaints beside it.

use super::outcome::Failure;
use serde_json::Value;
use std::io::{self, ErrorKind, IsTerminal, Write};
use tandem::shell::log::{Flush, Log};

/// Prints a line. A reader who has seen enough (`| head`) ends the program quietly.
pub fn show(line: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        let quiet = error.kind() == ErrorKind::BrokenPipe;
        if !quiet {
            complain(&Failure::new(format_args!("can't print: {error}")));
        }
        std::process::exit(if quiet { 0 } else { 2 });
    }
}

/// One JSON value on one line.
pub fn show_json(value: &Value) {
    show(&value.to_string());
}

pub fn complain(failure: &Failure) {
    for line in &failure.lines {
        // Where even this can't be written, there is nobody to be told.
        let _ = writeln!(io::stderr().lock(), "tandem: {line}");
    }
}

/// Sends the log to standard error, as much as `TANDEM_LOG` asks for. What is left is written when the answer is dropped.
pub fn log_from_environment(usual: &str) -> Result<Flush, Failure> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TANDEM_LOG").unwrap_or_else(|_| usual.into());
    let colours = io::stderr().is_terminal();
    let (log, flush) = Log::start(io::stderr()).map_err(|error| {
        Failure::new(format_args!("can't start the log's thread: {error}; see the limit of threads"))
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(log).with_ansi(colours).with_target(false).init();
    Ok(flush)
}

/// Prints rows under their headings, in columns as wide as they need to be. Nothing at all for no rows but `none`.
pub fn show_table(headings: &[&str], rows: &[Vec<String>], none: &str) {
    if rows.is_empty() {
        return show(none);
    }
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let mut widths = vec![0; headings.len()];
    for row in std::iter::once(&headings).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&headings).chain(&rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        show(cells.join("  ").trim_end());
    }
}

/// What came from the network can't move the cursor, colour the screen or turn the direction of writing.
pub fn plain(text: &str) -> String {
    tandem::base::plain::Plain(text).to_string()
}

/// A field of an answer as a cell: empty where it isn't known.
pub fn cell(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time without what everybody knows: `2026-11-21 09:00:00` in UTC.
pub fn time_cell(value: &Value, field: &str) -> String {
    cell(value, field).get(..19).unwrap_or("").replace('T', " ")
}

/// Milliseconds as minutes and seconds.
pub fn span_cell(value: &Value, field: &str) -> String {
    match value[field].as_u64() {
        Some(millis) if millis > 0 => format!("{}:{:02}", millis / 60_000, millis / 1_000 % 60),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_cannot_write_on_the_operators_screen() {
        assert_eq!(plain("a\u{1b}[2Jb\r\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\u{fffd}d");
        assert_eq!(plain("Zoë 東京"), "Zoë 東京");
    }
}
