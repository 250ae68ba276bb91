//! Floor 3: calls. `switch` is the way in; `state` is what a call is, and there is a file for each thing that happens to it:
//! `invited`, `set_up`, `dial`, `progress`, `answered`, `refused`, `redirected`, `local_end`, `talk`, `reoffer`, `asked`,
//! `inform`, `release`.

pub mod account;
mod admission;
mod answered;
mod asked;
mod brought;
mod dial;
mod diversion;
mod exchange;
mod failure;
mod inform;
mod invited;
pub mod io;
mod leg;
mod local_end;
mod negotiate;
mod party;
pub mod phone;
mod place;
mod privacy;
mod progress;
mod reason;
pub mod record;
mod redirected;
mod refused;
mod release;
mod reoffer;
mod requested;
mod rests;
mod set_up;
mod state;
pub mod switch;
mod talk;
mod terms;
mod trunk;
mod trunks;
pub mod view;
