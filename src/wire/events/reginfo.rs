//! Registrations: reginfo (RFC 3680).

use crate::wire::xml::Document;

/// One contact that is registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Kept over refreshes.
    pub id: u64,
    pub uri: String,
    pub expires_in_s: u64,
    /// In thousandths.
    pub q: u16,
}

/// The whole state of `aor`. `version` grows by one from document to document of a subscription.
pub fn write(aor: &str, version: u32, contacts: &[Contact]) -> String {
    let mut document = Document::new();
    let namespace = "urn:ietf:params:xml:ns:reginfo";
    document.open("reginfo", &[("xmlns", &namespace), ("version", &version), ("state", &"full")]);
    let state = if contacts.is_empty() { "init" } else { "active" };
    document.open("registration", &[("aor", &aor), ("id", &"account"), ("state", &state)]);
    for contact in contacts {
        let q = format!("{}.{:03}", contact.q / 1_000, contact.q % 1_000);
        document.open(
            "contact",
            &[
                ("id", &contact.id),
                ("state", &"active"),
                ("event", &"registered"),
                ("expires", &contact.expires_in_s),
                ("q", &q),
            ],
        );
        document.element("uri", &[], &contact.uri).close();
    }
    document.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_listed() {
        let contact = Contact { id: 7, uri: "sip:bob@192.0.2.9;x=\"<\"".into(), expires_in_s: 60, q: 500 };
        let text = write("sip:bob@x", 1, &[contact]);
        assert!(text.contains("<registration aor=\"sip:bob@x\" id=\"account\" state=\"active\">"), "{text}");
        assert!(text.contains(
            "event=\"registered\" expires=\"60\" q=\"0.500\"><uri>sip:bob@192.0.2.9;x=&quot;&lt;&quot;</uri>"
        ));
        assert!(write("sip:bob@x", 2, &[]).contains("state=\"init\""));
    }
}
