//! The way that requests of a registered user take (RFC 3608).

use crate::wire::sip::{Message, Name, NameAddr, Scheme};

/// More hops, or longer ones, than any network of operators has.
const HOPS: usize = 8;
const LENGTH: usize = 512;

/// The Route values that a 2xx to our REGISTER asks for; none where one of them is no loose router, which RFC 3608 §6.3
/// rules out, or where they have no end.
pub(super) fn read(message: &Message) -> Vec<String> {
    let values: Vec<&str> = message.values(Name::ServiceRoute).take(HOPS + 1).collect();
    let fits = |value: &&str| {
        let uri = NameAddr::parse(value).ok().and_then(|address| address.parse_uri().ok());
        let is_loose =
            uri.is_some_and(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips) && uri.param("lr").is_some());
        is_loose && value.len() <= LENGTH
    };
    if values.len() > HOPS || !values.iter().all(|value| fits(value)) {
        return Vec::new();
    }
    values.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn of(fields: &str) -> Vec<String> {
        read(&Message::parse(Bytes::from(format!("SIP/2.0 200 OK\r\n{fields}\r\n"))).unwrap())
    }

    #[test]
    fn hops_stand_in_their_order() {
        let fields =
            "Service-Route: <sip:one.example;lr>, <sip:two.example:5070;lr>\r\nService-Route: <sip:three;lr>\r\n";
        assert_eq!(of(fields), ["<sip:one.example;lr>", "<sip:two.example:5070;lr>", "<sip:three;lr>"]);
        assert!(of("").is_empty());
    }

    #[test]
    fn what_is_no_way_is_not_taken() {
        for value in ["<sip:one.example>", "<tel:+1555;lr>", "nonsense", "<sip:a;lr>, <sip:b>"] {
            assert!(of(&format!("Service-Route: {value}\r\n")).is_empty(), "{value}");
        }
        assert!(of(&"Service-Route: <sip:a;lr>\r\n".repeat(9)).is_empty());
        assert!(of(&format!("Service-Route: <sip:{};lr>\r\n", "a".repeat(600))).is_empty());
    }
}
