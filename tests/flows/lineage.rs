//! Whether the descriptions of a dialog go on from one another (RFC 3264 §8): their session stays, their version only goes
//! up, and what has one version is always the same.

use bytes::Bytes;
use std::collections::BTreeMap;
use tandem::wire::description::Description;
use tandem::wire::sdp;
use tandem::wire::sip::Message;

/// What one peer has heard.
#[derive(Default)]
pub struct Lineage {
    /// By Call-ID and the switch's tag.
    dialogs: BTreeMap<(String, String), Heard>,
}

struct Heard {
    last: Description,
    /// Bodies and where they stood, which may be sent again.
    said: Vec<(String, Bytes)>,
}

impl Lineage {
    /// What is wrong with a message of the switch's.
    pub fn objection(&mut self, message: &Message) -> Option<String> {
        let description = sdp::parse(&message.body()).ok()?;
        let ours = if message.is_request() { message.from() } else { message.to() };
        let tag = ours.ok()?.tag().unwrap_or_default().to_owned();
        let cseq = message.cseq().ok()?.number;
        let place = match message.is_request() {
            true => format!("{} {cseq}", message.method().as_str()),
            false => format!("{} {cseq}", message.status()),
        };
        let said = (place, message.body());
        let dialog = (message.call_id().to_owned(), tag);
        let Some(heard) = self.dialogs.get_mut(&dialog) else {
            self.dialogs.insert(dialog, Heard { last: description, said: vec![said] });
            return None;
        };
        if heard.said.contains(&said) {
            return None;
        }
        heard.said.push(said);
        let before = std::mem::replace(&mut heard.last, description);
        let after = &heard.last;
        match () {
            () if before.session != after.session => Some("the session of the o= line changed".to_owned()),
            () if before.version > after.version => {
                Some(format!("the version of the o= line went back from {} to {}", before.version, after.version))
            }
            () if before.version == after.version && before != *after => {
                Some("the description changed and its version didn't".to_owned())
            }
            () => None,
        }
    }
}
