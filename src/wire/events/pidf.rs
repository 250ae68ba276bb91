//! Presence: PIDF (RFC 3863) with activities (RFC 4480) on the data model of RFC 4479.

use crate::wire::xml::{self, Document, Malformed};

/// Characters of a note.
const NOTE: usize = 256;

/// The activities of RFC 4480 §3.2 that are passed on; others are left out.
const ACTIVITIES: [&str; 27] = [
    "appointment",
    "away",
    "breakfast",
    "busy",
    "dinner",
    "holiday",
    "in-transit",
    "looking-for-work",
    "lunch",
    "meal",
    "meeting",
    "on-the-phone",
    "performance",
    "permanent-absence",
    "playing",
    "presentation",
    "shopping",
    "sleeping",
    "spectator",
    "steering",
    "travel",
    "tv",
    "vacation",
    "working",
    "worship",
    "other",
    "unknown",
];
pub const ON_THE_PHONE: &str = "on-the-phone";

/// Whether and how somebody can be reached, on whatever network they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Presence {
    /// None where nothing was said of it.
    pub open: Option<bool>,
    /// Each is one of RFC 4480.
    pub activities: Vec<&'static str>,
    pub note: Option<String>,
}

impl Presence {
    pub fn add_activity(&mut self, name: &str) {
        let known = ACTIVITIES.into_iter().find(|known| *known == name);
        self.activities.extend(known.filter(|known| !self.activities.contains(known)));
    }
}

/// Reads what somebody published.
pub fn read(body: &[u8]) -> Result<Presence, Malformed> {
    let elements = xml::read(body)?;
    if elements.first().is_none_or(|root| root.name != "presence") {
        return Err(Malformed("it is no presence"));
    }
    let mut presence = Presence::default();
    let mut activities_at = None;
    for element in elements.iter().skip(1) {
        if activities_at.is_some_and(|depth| element.depth <= depth) {
            activities_at = None;
        }
        match element.name.as_str() {
            "basic" => presence.open = Some(presence.open == Some(true) || element.text == "open"),
            "activities" => activities_at = Some(element.depth),
            "note" if presence.note.is_none() && !element.text.is_empty() => {
                presence.note = Some(element.text.chars().take(NOTE).collect());
            }
            name if activities_at.is_some() => presence.add_activity(name),
            _ => {}
        }
    }
    Ok(presence)
}

/// `entity` is the address of whose presence it is; without a word of it, nobody is there.
pub fn write(entity: &str, presence: &Presence) -> String {
    let mut document = Document::new();
    document.open(
        "presence",
        &[
            ("xmlns", &"urn:ietf:params:xml:ns:pidf"),
            ("xmlns:dm", &"urn:ietf:params:xml:ns:pidf:data-model"),
            ("xmlns:rpid", &"urn:ietf:params:xml:ns:pidf:rpid"),
            ("entity", &entity),
        ],
    );
    let basic = if presence.open == Some(true) { "open" } else { "closed" };
    document.open("tuple", &[("id", &"phones")]);
    document.open("status", &[]).element("basic", &[], basic).close();
    document.element("contact", &[], entity);
    if let Some(note) = &presence.note {
        document.element("note", &[], note);
    }
    document.close();
    if !presence.activities.is_empty() {
        document.open("dm:person", &[("id", &"person")]).open("rpid:activities", &[]);
        for activity in &presence.activities {
            document.empty("rpid", activity);
        }
        document.close();
        if let Some(note) = &presence.note {
            document.element("dm:note", &[], note);
        }
    }
    document.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_phone_publishes_is_understood() {
        let body = "<?xml version='1.0' encoding='UTF-8'?>
            <presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'
                xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='sip:bob@x'>
              <tuple id='a'><status><basic>closed</basic></status></tuple>
              <tuple id='b'><status><basic>open</basic></status><contact>sip:bob@10.0.0.1</contact></tuple>
              <dm:person id='p'><rpid:activities><rpid:away/><rpid:hacking/></rpid:activities><dm:note>Back &lt;soon&gt;</dm:note></dm:person>
              <away/>
            </presence>";
        let presence = read(body.as_bytes()).unwrap();
        let note = Some("Back <soon>".to_owned());
        assert_eq!(presence, Presence { open: Some(true), activities: vec!["away"], note });
        let text = write("sip:bob@x", &presence);
        assert_eq!(read(text.as_bytes()).unwrap(), presence);
        assert!(!text.contains("10.0.0.1"));
    }

    #[test]
    fn what_says_nothing_is_closed() {
        let presence = read(b"<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@x'/>").unwrap();
        assert_eq!(presence, Presence::default());
        assert!(write("sip:bob@x", &presence).contains("<basic>closed</basic>"));
        assert!(read(b"<dialog-info/>").is_err());
    }
}
