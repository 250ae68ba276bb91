//! Busy lamps: dialog-info (RFC 4235).

use crate::wire::sip::Replaces;
use crate::wire::xml::Document;

/// One dialog of whoever is watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DialogState {
    /// The same for as long as the dialog lasts.
    pub id: String,
    /// The URI of whoever is watched.
    pub local: String,
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

/// What stands for the dialog's Call-ID and tags (§4.1.1), so that a phone can name it in Replaces. The real ones are
/// nobody's business but of the two who speak in it: they name hosts, and would let others guess at requests in it.
fn names(id: &str) -> (String, String, String) {
    (format!("{PREFIX}{id}"), format!("{id}l"), format!("{id}r"))
}

const PREFIX: &str = "lamp-";

/// The id of the dialog that Replaces names by what a document said of it. Phones disagree on whose tag comes first.
pub fn id_of(replaces: &Replaces) -> Option<&str> {
    let id = replaces.call_id.strip_prefix(PREFIX)?;
    let (_, local, remote) = names(id);
    let given = [replaces.to_tag.as_str(), &replaces.from_tag];
    (given == [&local, &remote] || given == [&remote, &local]).then_some(id)
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
        let (call_id, local_tag, remote_tag) = names(&dialog.id);
        document.open(
            "dialog",
            &[
                ("id", &dialog.id),
                ("call-id", &call_id),
                ("local-tag", &local_tag),
                ("remote-tag", &remote_tag),
                ("direction", &direction),
            ],
        );
        document.element("state", &[], stage).open("local", &[]);
        document.element("identity", &[], &dialog.local).element("target", &[("uri", &dialog.local)], "").close();
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
            local: "sip:bob@x".into(),
            direction: Direction::Recipient,
            stage: Stage::Early,
            remote: Some("sip:\"x\"&y@z".into()),
        };
        let text = write("sip:bob@x", 3, std::slice::from_ref(&dialog));
        assert!(text.contains("version=\"3\" state=\"full\" entity=\"sip:bob@x\""));
        let names = "id=\"a1\" call-id=\"lamp-a1\" local-tag=\"a1l\" remote-tag=\"a1r\"";
        assert!(text.contains(&format!("<dialog {names} direction=\"recipient\"><state>early</state>")), "{text}");
        let elements = read(text.as_bytes()).unwrap();
        assert_eq!((elements[4].text.as_str(), elements[7].text.as_str()), ("sip:bob@x", "sip:\"x\"&y@z"));
        for (given, id) in [
            ("lamp-a1;to-tag=a1l;from-tag=a1r", Some("a1")),
            ("lamp-a1;to-tag=a1r;from-tag=a1l;early-only", Some("a1")),
            ("lamp-a1;to-tag=a1l;from-tag=a1l", None),
            ("lamp-;to-tag=l;from-tag=r", Some("")),
            ("a1;to-tag=a1l;from-tag=a1r", None),
        ] {
            assert_eq!(id_of(&Replaces::parse(given).unwrap()), id, "{given}");
        }
        let hidden = write("sip:bob@x", 4, &[DialogState { remote: None, ..dialog }]);
        assert!(!hidden.contains("<remote>"));
        assert!(write("sip:bob@x", 5, &[]).contains("<state>terminated</state>"));
    }
}
