//! SIP messages (RFC 3261 §7, §25): bytes ⇄ values, no state.
//!
//! A [`Message`] owns the bytes that it came from and an index into them; everything read from it is a slice. A parse
//! fails only where nothing could be answered; whatever else is wrong is told by [`Message::check`], with the status
//! that a server answers.

mod auth;
mod check;
mod date;
mod error;
mod framer;
mod limits;
mod message;
mod method;
mod name;
mod name_addr;
mod params;
mod parse;
mod reliable;
mod replaces;
mod session_expires;
mod session_pair;
mod status;
mod token;
mod uri;
mod via;
mod writer;

pub use auth::{Challenge, Credentials, challenges};
pub use check::Defect;
pub use date::date;
pub use error::{HeaderError, Malformed, ParseError};
pub use framer::{Frame, FrameError, Framer};
pub use limits::Limits;
pub use message::{CSeq, Contacts, Field, Message};
pub use method::Method;
pub use name::Name;
pub use name_addr::{NameAddr, quote};
pub use params::Params;
pub use reliable::RAck;
pub use replaces::Replaces;
pub use session_expires::{Refresher, SessionExpires};
pub use session_pair::{SessionPair, Uuid};
pub use status::reason_phrase;
pub use token::{is_token, split_list};
pub use uri::{Scheme, Uri, escape_user};
pub use via::Via;
pub use writer::Writer;
