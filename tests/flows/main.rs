//! Call flows as ladders of text: the real switch in virtual time, between peers that say what the ladder tells them.
//!
//! ```text
//! alice -> tandem INVITE bob (sdp PCMU)          what a peer sends, and in brackets how
//! tandem -> bob INVITE [Max-Forwards: 69]        what the switch must send next to this peer, and what is checked of it
//! media alice [send PCMU/0 | from bob]           the orders that the worker of this peer's port has
//! record [status 200 | by caller]                what the books say of the last call
//! wait 500ms
//! ```
//!
//! Tags, branches, Call-IDs and numbers are the peers' own affair. What one peer may not learn of another is looked for
//! in every message, and at the end of every ladder nothing may be left over. A failure prints the ladder as it ran.

mod books;
mod dns;
mod expect;
mod ladder;
mod line;
mod lineage;
mod mailbox;
mod peer;
mod ports;
mod sdp;
mod world;

mod advisories;
mod announcing;
mod answering;
mod asking;
mod cancelling;
mod codes;
mod connections;
mod digits;
mod ending;
mod failing;
mod finding;
mod forwarding;
mod headers;
mod hearing;
mod identity;
mod joining;
mod left_alone;
mod limits;
mod local;
mod messaging;
mod offers;
mod one_way;
mod overload;
mod passing_on;
mod phones;
mod prack;
mod privacy;
mod protecting;
mod proxied;
mod racing;
mod raw;
mod reaching;
mod redirecting;
mod referring;
mod refreshing;
mod registering;
mod renegotiating;
mod replacing;
mod rfc3665;
mod rooms;
mod sealed;
mod services;
mod streams;
mod torture;
mod trunks;
mod updating;
mod watching;
