//! Floor 3: calls. `switch` is the way in; `state` is what a call is, and there is a file for each thing that happens to it:
//! `invited`, `set_up`, `dial`, `progress`, `answered`, `refused`, `local_end`, `talk`, `reoffer`, `asked`, `inform`,
//! `release`; and for what happens between two of them: `refer`, `transfer`, `replace`, `moving`, by `errand`s.

pub mod account;
mod admission;
mod answered;
mod asked;
mod brought;
mod dial;
mod diversion;
mod errand;
mod exchange;
mod failure;
mod inform;
mod invited;
pub mod io;
mod leg;
mod local_end;
mod moving;
mod music;
mod negotiate;
mod party;
pub mod phone;
mod privacy;
mod progress;
mod reason;
pub mod record;
mod refer;
mod refused;
mod release;
mod reoffer;
mod replace;
mod requested;
mod set_up;
mod state;
pub mod switch;
mod talk;
mod terms;
mod transfer;
mod trunk;
pub mod view;
