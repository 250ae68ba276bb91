//! Names of header fields.

use std::fmt;

macro_rules! names {
    ($($variant:ident $text:literal $($compact:literal)?,)*) => {
        /// The name of a header field that has a meaning here; `Other` for the rest.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Name {
            $($variant,)*
            Other,
        }

        const KNOWN: &[(Name, &str)] = &[$((Name::$variant, $text),)*];

        impl Name {
            /// The long form as the RFCs write it; empty for `Other`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Name::$variant => $text,)*
                    Name::Other => "",
                }
            }

            fn from_compact(letter: u8) -> Name {
                match letter.to_ascii_lowercase() {
                    $($($compact => Name::$variant,)?)*
                    _ => Name::Other,
                }
            }
        }
    };
}

names! {
    Via "Via" b'v',
    From "From" b'f',
    To "To" b't',
    CallId "Call-ID" b'i',
    CSeq "CSeq",
    Contact "Contact" b'm',
    Route "Route",
    RecordRoute "Record-Route",
    MaxForwards "Max-Forwards",
    ContentType "Content-Type" b'c',
    ContentLength "Content-Length" b'l',
    Expires "Expires",
    MinExpires "Min-Expires",
    Allow "Allow",
    Supported "Supported" b'k',
    Require "Require",
    Unsupported "Unsupported",
    ProxyRequire "Proxy-Require",
    Authorization "Authorization",
    WwwAuthenticate "WWW-Authenticate",
    ProxyAuthorization "Proxy-Authorization",
    ProxyAuthenticate "Proxy-Authenticate",
    AuthenticationInfo "Authentication-Info",
    Reason "Reason",
    RetryAfter "Retry-After",
    UserAgent "User-Agent",
    Server "Server",
    Warning "Warning",
    Date "Date",
    Accept "Accept",
    AcceptEncoding "Accept-Encoding",
    AcceptLanguage "Accept-Language",
    AcceptContact "Accept-Contact" b'a',
    RejectContact "Reject-Contact" b'j',
    RequestDisposition "Request-Disposition" b'd',
    AlertInfo "Alert-Info",
    CallInfo "Call-Info",
    ErrorInfo "Error-Info",
    Subject "Subject" b's',
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    Privacy "Privacy",
    Diversion "Diversion",
    HistoryInfo "History-Info",
    Path "Path",
    ServiceRoute "Service-Route",
    FlowTimer "Flow-Timer",
    SessionExpires "Session-Expires" b'x',
    MinSe "Min-SE",
    RSeq "RSeq",
    RAck "RAck",
    ReferTo "Refer-To" b'r',
    ReferredBy "Referred-By" b'b',
    Replaces "Replaces",
    Event "Event" b'o',
    SubscriptionState "Subscription-State",
    AllowEvents "Allow-Events" b'u',
    SipEtag "SIP-ETag",
    SipIfMatch "SIP-If-Match",
    Timestamp "Timestamp",
    InReplyTo "In-Reply-To",
    ContentEncoding "Content-Encoding" b'e',
    ContentDisposition "Content-Disposition",
    ContentLanguage "Content-Language",
    Organization "Organization",
    Priority "Priority",
    MimeVersion "MIME-Version",
    SessionId "Session-ID",
    RemotePartyId "Remote-Party-ID",
    UserToUser "User-to-User",
    Identity "Identity" b'y',
    InfoPackage "Info-Package",
    RecvInfo "Recv-Info",
    ReferSub "Refer-Sub",
}

impl Name {
    /// By its long or its compact form (RFC 3261 §7.3.3), in any case.
    pub fn from_bytes(bytes: &[u8]) -> Name {
        if let [letter] = bytes {
            return Name::from_compact(*letter);
        }
        let mut slot = slot(bytes);
        while let Some((name, text)) = KNOWN.get(usize::from(SLOTS[slot])) {
            if text.as_bytes().eq_ignore_ascii_case(bytes) {
                return *name;
            }
            slot = (slot + 1) % SLOTS.len();
        }
        Name::Other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const EMPTY: u8 = u8::MAX;

/// Indices into `KNOWN` by [`slot`], open addressing, so that a name costs one or two comparisons. Less than a third of
/// the slots is taken, so that every search ends.
static SLOTS: [u8; 256] = {
    let mut slots = [EMPTY; 256];
    let mut index = 0;
    while index < KNOWN.len() {
        let mut at = slot(KNOWN[index].1.as_bytes());
        while slots[at] != EMPTY {
            at = (at + 1) % slots.len();
        }
        slots[at] = index as u8;
        index += 1;
    }
    slots
};

const fn slot(name: &[u8]) -> usize {
    if name.is_empty() {
        return 0;
    }
    let first = name[0].to_ascii_lowercase() as usize;
    let middle = name[name.len() / 2].to_ascii_lowercase() as usize;
    let last = name[name.len() - 1].to_ascii_lowercase() as usize;
    (first * 7 + middle * 31 + last * 3 + name.len() * 13) % 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for (name, text) in KNOWN {
            assert_eq!(Name::from_bytes(text.as_bytes()), *name);
            assert_eq!(Name::from_bytes(text.to_uppercase().as_bytes()), *name);
            assert_eq!(Name::from_bytes(text.to_lowercase().as_bytes()), *name);
            assert_eq!(name.as_str(), *text);
        }
        assert!(KNOWN.len() * 3 < SLOTS.len());
    }

    #[test]
    fn compact_forms() {
        assert_eq!(Name::from_bytes(b"I"), Name::CallId);
        assert_eq!(Name::from_bytes(b"l"), Name::ContentLength);
        assert_eq!(Name::from_bytes(b"z"), Name::Other);
        assert_eq!(Name::from_bytes(b""), Name::Other);
        assert_eq!(Name::from_bytes(b"X-Custom"), Name::Other);
    }
}
