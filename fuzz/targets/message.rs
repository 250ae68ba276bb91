//! SIP messages, whole and cut out of a stream: everything is read, and an answer can be written and read back.

use bytes::Bytes;
use tandem::wire::sip::{Contacts, Frame, Framer, Message, Name, Writer};

pub fn run(bytes: &[u8]) {
    read(Bytes::copy_from_slice(bytes));
    let mut framer = Framer::default();
    for piece in bytes.chunks(97) {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            if let Ok(Frame::Message(message)) = frame {
                read(message);
            }
        }
    }
}

fn read(bytes: Bytes) {
    let Ok(mut message) = Message::parse(bytes) else { return };
    message.stamp_source("[2001:db8::7]:5060".parse().expect("an address"));
    let is_legal = message.check().is_ok();
    let _ = (message.from().is_ok(), message.to().is_ok(), message.cseq().is_ok(), message.top_via().is_ok());
    if let Ok(Contacts::List(contacts)) = message.contacts() {
        let _ = contacts.iter().filter_map(|contact| contact.parse_uri().ok()).count();
    }
    let _ = (message.expires(), message.max_forwards(), message.has_token(Name::Supported, "timer"));
    let _ = (message.body().len(), message.challenges(Name::WwwAuthenticate).count());
    for field in message.fields() {
        assert!(!field.value().contains(['\r', '\n']), "a line end within a value");
    }
    if !message.is_request() || !is_legal {
        return;
    }
    let reply = Writer::reply_to(&message, 200, "", Some("tag")).finish();
    let reply = Message::parse(reply).expect("our own answer can be read");
    reply.check().expect("our own answer is legal");
    assert_eq!(reply.vias().count(), message.vias().count(), "a Via is lost");
}
