//! What a message asks to be kept from others: RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1.
//!
//! Of the other levels, `header` and `session` are what a gateway between two legs does anyway: neither side sees the
//! other's machines or the addresses of its media. `critical` asks to fail what can't be kept, and all can.

use crate::wire::sip::{Message, Name};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Privacy {
    /// Who the sender is.
    pub caller: bool,
    /// Over whom the call came.
    pub history: bool,
}

impl Privacy {
    pub fn of(message: &Message) -> Privacy {
        let fields = message.fields().filter(|field| field.kind() == Name::Privacy);
        let mut privacy = Privacy::default();
        for value in fields.flat_map(|field| field.value().split([';', ','])) {
            match value.trim().to_ascii_lowercase().as_str() {
                "none" => return Privacy::default(),
                "id" | "user" => privacy.caller = true,
                "history" => privacy.history = true,
                _ => {}
            }
        }
        privacy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn of(value: &str) -> Privacy {
        Privacy::of(&Message::parse(Bytes::from(format!("INVITE sip:b@h SIP/2.0\r\n{value}\r\n"))).unwrap())
    }

    #[test]
    fn levels_of_privacy() {
        assert_eq!(of(""), Privacy::default());
        for text in ["id", "header;ID", "user; critical", "session;header;user;id;critical"] {
            assert_eq!(of(&format!("Privacy: {text}\r\n")), Privacy { caller: true, history: false }, "{text}");
        }
        assert_eq!(of("Privacy: history\r\nPrivacy: id\r\n"), Privacy { caller: true, history: true });
        for text in ["none", "header", "session;critical"] {
            assert_eq!(of(&format!("Privacy: {text}\r\n")), Privacy::default(), "{text}");
        }
    }
}
