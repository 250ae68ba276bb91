//! Floor 3: calls. `switch` is the way in; `state` is what a call is, and a file for each thing that happens to it:
//! `set_up`, `talk`, `release`.

pub mod account;
mod admission;
mod exchange;
mod failure;
pub mod io;
mod leg;
mod negotiate;
pub mod phone;
pub mod record;
mod release;
mod set_up;
mod state;
pub mod switch;
mod talk;
mod trunk;
pub mod view;
