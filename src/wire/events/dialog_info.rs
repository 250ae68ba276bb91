//! Busy lamps: dialog-info (RFC 4235).

use crate::wire::xml::Document;

/// One dialog of whoever is watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DialogState {
    /// The same for as long as the dialog lasts.
    pub id: String,
    pub direction: Direction,
    pub stage: Stage,
    /// The URI of the other side; none where the watcher isn't told.
    pub remote: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// The watched side calls.
    Initiator,
    /// The watched side is called.
    Recipient,
}

/// In the order in which they come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    Trying,
    /// It rings.
    Early,
    Confirmed,
}

/// The whole state of `entity`. `version` grows by one from document to document of a subscription.
pub fn write(entity: &str, version: u32, dialogs: &[DialogState]) -> String {
    let mut document = Document::new();
    document.open(
        "dialog-info",
        &[
            ("xmlns", &"urn:ietf:params:xml:ns:dialog-info"),
            ("version", &version),
            ("state", &"full"),
            ("entity", &entity),
        ],
    );
    for dialog in dialogs {
        let direction = match dialog.direction {
            Direction::Initiator => "initiator",
            Direction::Recipient => "recipient",
        };
        let stage = match dialog.stage {
            Stage::Trying => "trying",
            Stage::Early => "early",
            Stage::Confirmed => "confirmed",
        };
        document.open("dialog", &[("id", &dialog.id), ("direction", &direction)]).element("state", &[], stage);
        if let Some(remote) = &dialog.remote {
            document.open("remote", &[]);
            document.element("identity", &[], remote).element("target", &[("uri", remote)], "").close();
        }
        document.close();
    }
    if dialogs.is_empty() {
        // Many phones put a lamp out only where they read so.
        document.open("dialog", &[("id", &"none")]).element("state", &[], "terminated").close();
    }
    document.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::read;

    #[test]
    fn a_lamp_is_lit_and_put_out() {
        let dialog = DialogState {
            id: "a1".into(),
            direction: Direction::Recipient,
            stage: Stage::Early,
            remote: Some("sip:\"x\"&y@z".into()),
        };
        let text = write("sip:bob@x", 3, std::slice::from_ref(&dialog));
        assert!(text.contains("version=\"3\" state=\"full\" entity=\"sip:bob@x\""));
        assert!(text.contains("<dialog id=\"a1\" direction=\"recipient\"><state>early</state>"), "{text}");
        assert_eq!(read(text.as_bytes()).unwrap()[4].text, "sip:\"x\"&y@z");
        let hidden = write("sip:bob@x", 4, &[DialogState { remote: None, ..dialog }]);
        assert!(!hidden.contains("remote"));
        assert!(write("sip:bob@x", 5, &[]).contains("<state>terminated</state>"));
    }
}
