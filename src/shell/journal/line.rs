//! The journal's lines: eight hex digits of CRC-32, a space, JSON, and a line feed, which JSON never holds unescaped.

use crate::call::record::CallRecord;
use crate::shell::document::RecordDocument;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// Longer lines are damage: a record has a few dozen legs at most.
pub const LINE_BYTES: usize = 1 << 20;
/// The format of the lines; another one is refused.
const FORMAT: u32 = 1;

/// What a line says.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// The first of a file. Files of a higher generation are newer.
    Header {
        generation: u64,
    },
    /// A header that a newer Tandem wrote.
    Foreign {
        format: u32,
    },
    Record(Box<CallRecord>),
    /// Not what was once written.
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct HeaderDocument {
    journal: u32,
    generation: u64,
}

pub fn write_record(buffer: &mut Vec<u8>, record: &CallRecord) {
    write(buffer, &RecordDocument::from(record));
}

pub fn header(generation: u64) -> Vec<u8> {
    let mut buffer = Vec::new();
    write(&mut buffer, &HeaderDocument { journal: FORMAT, generation });
    buffer
}

/// `line` without its line feed.
pub fn read(line: &[u8]) -> Line {
    let Some(json) = verified(line) else { return Line::Damaged };
    if let Ok(document) = serde_json::from_slice::<RecordDocument<'_>>(json) {
        return Line::Record(Box::new(document.into()));
    }
    match serde_json::from_slice::<HeaderDocument>(json) {
        Ok(header) if header.journal == FORMAT => Line::Header { generation: header.generation },
        Ok(header) => Line::Foreign { format: header.journal },
        Err(_) => Line::Damaged,
    }
}

/// The id of the record that a whole line holds, as it is written there, without reading the rest.
pub fn id(line: &[u8]) -> Option<&[u8]> {
    let rest = verified(line)?.strip_prefix(br#"{"id":""#)?;
    // After an escaped backslash it goes on for a few bytes that all forms of a record share.
    let end = memchr::memchr_iter(b'"', rest).find(|&at| at == 0 || rest[at - 1] != b'\\')?;
    rest.get(..end)
}

fn write(buffer: &mut Vec<u8>, document: &impl Serialize) {
    let start = buffer.len();
    buffer.extend_from_slice(b"00000000 ");
    let json = buffer.len();
    // Neither a vector nor these documents can fail to be written; were it so, the line would be an empty one, whose
    // checksum says that it is damaged.
    if serde_json::to_writer(&mut *buffer, document).is_err() {
        buffer.truncate(json);
    }
    let checksum = format!("{:08x}", crc32fast::hash(&buffer[json..]));
    buffer[start..start + 8].copy_from_slice(checksum.as_bytes());
    let _ = buffer.write_all(b"\n");
}

fn verified(line: &[u8]) -> Option<&[u8]> {
    let (checksum, rest) = line.split_at_checked(8)?;
    let json = rest.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    (checksum == crc32fast::hash(json)).then_some(json)
}
