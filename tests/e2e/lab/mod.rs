//! What the tests are made of: programs that end with the test, addresses that are nobody else's, speech and its score.

pub mod baresip;
pub mod browser;
pub mod dns;
pub mod gateway;
pub mod kamailio;
pub mod linphone;
pub mod nat;
pub mod net;
pub mod program;
pub mod quiet;
pub mod sipp;
pub mod speech;
pub mod wait;
