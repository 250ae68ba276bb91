//! Floor 3: calls. `switch` is the way in; `state` is what a call is, and there is a file for each thing that happens to it:
//! `invited`, `set_up`, `dial`, `progress`, `answered`, `refused`, `forward`, `local_end`, `change`, `talk`, `reoffer`,
//! `asked`, `inform`, `release`.

pub mod account;
mod admission;
mod answered;
mod asked;
mod brought;
mod change;
mod dial;
mod diversion;
mod exchange;
mod failure;
mod forward;
pub mod forwarding;
mod inform;
mod invited;
pub mod io;
mod leg;
mod local_end;
mod negotiate;
mod party;
pub mod phone;
mod privacy;
mod progress;
mod reason;
pub mod record;
mod refused;
mod release;
mod reoffer;
mod requested;
mod set_up;
mod state;
pub mod switch;
mod talk;
mod terms;
mod tone;
mod trunk;
pub mod view;
