//! The little XML that events need: written with escapes, and read from strangers within bounds. A document type is
//! refused, and no entity is ever expanded but the five that XML itself has.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use std::borrow::Cow;
use std::fmt::Display;

/// Bounds of a document that is read.
const BYTES: usize = 32_768;
const ELEMENTS: usize = 256;
const DEPTH: usize = 16;

/// Why a document isn't read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

/// One element, without its namespace's prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Element {
    /// 0 for the root.
    pub depth: usize,
    pub name: String,
    /// Its own characters, trimmed.
    pub text: String,
}

/// All elements in the order in which they begin.
pub fn read(bytes: &[u8]) -> Result<Vec<Element>, Malformed> {
    if bytes.len() > BYTES {
        return Err(Malformed("it is too large"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed("it is not UTF-8"))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|_| Malformed("it is not well-formed"))?;
        match event {
            Event::Start(start) => {
                if elements.len() >= ELEMENTS || open.len() >= DEPTH {
                    return Err(Malformed("it has too many elements"));
                }
                if open.is_empty() && !elements.is_empty() {
                    return Err(Malformed("it has two roots"));
                }
                let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                open.push(elements.len());
                elements.push(Element { depth: open.len() - 1, name, text: String::new() });
            }
            Event::End(_) => {
                if let Some(element) = open.pop().and_then(|at| elements.get_mut(at)) {
                    element.text = element.text.trim().to_owned();
                }
            }
            Event::Text(part) => add(&mut elements, &open, &String::from_utf8_lossy(&part)),
            Event::CData(part) => add(&mut elements, &open, &String::from_utf8_lossy(&part)),
            Event::GeneralRef(reference) => add(&mut elements, &open, &character(&reference)?.to_string()),
            Event::DocType(_) => return Err(Malformed("it has a document type")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::Eof if open.is_empty() && !elements.is_empty() => return Ok(elements),
            Event::Eof => return Err(Malformed("it ends too early")),
        }
    }
}

/// Text that may stand between tags and in attributes. What XML has no way to write is left out.
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !matches!(c, '&' | '<' | '>' | '"' | '\'') && is_legal(c);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if is_legal(c) => escaped.push(c),
            _ => {}
        }
    }
    Cow::Owned(escaped)
}

/// Writes a document. Names are ours; values are escaped.
pub struct Document {
    text: String,
    open: Vec<&'static str>,
}

impl Document {
    pub fn new() -> Document {
        Document { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n".to_owned(), open: Vec::new() }
    }

    pub fn open(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)]) -> &mut Document {
        self.tag(name, attributes);
        self.text.push('>');
        self.open.push(name);
        self
    }

    /// Closes what was opened last.
    pub fn close(&mut self) -> &mut Document {
        if let Some(name) = self.open.pop() {
            self.text.push_str(&format!("</{name}>\r\n"));
        }
        self
    }

    pub fn element(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)], text: &str) -> &mut Document {
        self.tag(name, attributes);
        if text.is_empty() {
            self.text.push_str("/>\r\n");
        } else {
            self.text.push_str(&format!(">{}</{name}>\r\n", escape(text)));
        }
        self
    }

    /// An element without attributes or text, whose name is one of a list of ours.
    pub fn empty(&mut self, prefix: &str, name: &str) -> &mut Document {
        self.text.push_str(&format!("<{prefix}:{name}/>\r\n"));
        self
    }

    /// Closes all that is open.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            self.text.push_str(&format!(" {name}=\"{}\"", escape(&value.to_string())));
        }
    }
}

impl Default for Document {
    fn default() -> Document {
        Document::new()
    }
}

fn add(elements: &mut [Element], open: &[usize], text: &str) {
    if let Some(element) = open.last().and_then(|at| elements.get_mut(*at)) {
        element.text.push_str(text);
    }
}

fn character(reference: &BytesRef<'_>) -> Result<char, Malformed> {
    let by_number = reference.resolve_char_ref().map_err(|_| Malformed("it has a character that can't be"))?;
    let named = || match &**reference {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => None,
    };
    by_number.filter(|c| is_legal(*c)).or_else(named).ok_or(Malformed("it has an entity of its own"))
}

/// XML 1.0 §2.2.
fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_in_order_with_their_text() {
        let text =
            "<?xml version='1.0'?><!-- x --><a:p xmlns:a='urn:x'><b>1 &amp; &#50;</b><c/><b><![CDATA[<x>]]></b></a:p>";
        let read: Vec<_> = read(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|element| format!("{} {} {}", element.depth, element.name, element.text))
            .collect();
        assert_eq!(read, ["0 p ", "1 b 1 & 2", "1 c ", "1 b <x>"]);
    }

    #[test]
    fn bombs_are_refused() {
        let laughs = "<!DOCTYPE p [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><p>&b;</p>";
        let outside = "<!DOCTYPE p SYSTEM 'file:///etc/passwd'><p/>";
        let deep = "<a>".repeat(17) + &"</a>".repeat(17);
        let wide = format!("<a>{}</a>", "<b/>".repeat(256));
        let large = format!("<a>{}</a>", "x".repeat(BYTES));
        for text in [laughs, outside, "<p>&b;</p>", "<p>&#0;</p>", "<p>&#xd800;</p>", &deep, &wide, &large] {
            assert!(read(text.as_bytes()).is_err(), "{}", &text[..text.len().min(60)]);
        }
        for text in ["", "x", "<a>", "<a></b>", "<a/><b/>", "</a>", "<a", "\u{0}", "<a>&amp</a>"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(&[b'<', b'a', b'>', 0xff, b'<', b'/', b'a', b'>']).is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_upsets_the_reader(text in "[<>/a&;#x0-9\"'!?\\[\\] =-]{0,80}", bytes: Vec<u8>) {
            _ = read(text.as_bytes());
            _ = read(&bytes);
            let mut document = Document::new();
            document.element("a", &[("b", &text)], &text);
            proptest::prop_assert_eq!(&read(document.finish().as_bytes()).unwrap()[0].text, text.trim());
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut document = Document::new();
        document.open("p", &[("id", &"\"<>&'"), ("version", &7)]);
        document.element("note", &[], "</note>&lt;\u{7}");
        let text = document.finish();
        assert!(text.contains("<p id=\"&quot;&lt;&gt;&amp;&apos;\" version=\"7\">"), "{text}");
        assert_eq!(read(text.as_bytes()).unwrap()[1].text, "</note>&lt;");
    }
}
