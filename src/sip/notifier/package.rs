//! The event packages that can be subscribed to.

use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Package {
    /// Whether somebody can be reached (RFC 3856).
    Presence,
    /// Whose phone rings or is in use (RFC 4235): busy lamps.
    Dialog,
    /// Waiting messages (RFC 3842).
    MessageSummary,
    /// Where somebody is registered (RFC 3680).
    Reg,
}

impl Package {
    pub const ALL: [Package; 4] = [Package::Presence, Package::Dialog, Package::MessageSummary, Package::Reg];

    /// As it stands in an Event header, without parameters. Templates such as `presence.winfo` are packages of their own,
    /// and none of ours.
    pub fn parse(event: &str) -> Option<Package> {
        let name = event.split(';').next().unwrap_or_default().trim();
        Package::ALL.into_iter().find(|package| package.as_str().eq_ignore_ascii_case(name))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Package::Presence => "presence",
            Package::Dialog => "dialog",
            Package::MessageSummary => "message-summary",
            Package::Reg => "reg",
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Package::Presence => "application/pidf+xml",
            Package::Dialog => "application/dialog-info+xml",
            Package::MessageSummary => "application/simple-message-summary",
            Package::Reg => "application/reginfo+xml",
        }
    }

    /// The least time between two notifications of one subscription, which each package is to have (RFC 6665 §5.4.10). A
    /// lamp must not lag behind its phone.
    pub const fn pause(self) -> Duration {
        match self {
            Package::Presence | Package::Reg => Duration::from_secs(5),
            Package::Dialog | Package::MessageSummary => Duration::from_secs(1),
        }
    }
}

/// What an Allow-Events header lists.
pub fn allow_events() -> String {
    Package::ALL.map(Package::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_their_names() {
        assert_eq!(Package::parse("Dialog;id=7"), Some(Package::Dialog));
        assert_eq!(Package::parse("message-summary"), Some(Package::MessageSummary));
        assert_eq!(Package::parse("presence.winfo").or(Package::parse("")).or(Package::parse("refer")), None);
        assert_eq!(allow_events(), "presence, dialog, message-summary, reg");
    }
}
