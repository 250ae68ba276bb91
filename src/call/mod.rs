//! Floor 3: calls. `switch` is the way in; `state` is what a call is, and there is a file for each thing that happens to it:
//! `invited`, `set_up`, `dial`, `progress`, `answered`, `refused`, `redirected`, `forward`, `local_end`, `setting`, `talk`,
//! `reoffer`, `change`, `asked`, `inform`, `release`; and for what happens between two of them: `refer`, `transfer`,
//! `replace`, `moving`, by `errand`s.
//! A text is a `letter`: `messaged`, `deliver` and, for users who are away, `letterbox`. Who is watched lights
//! a `lamp`: `subscribed`, `watched`.

pub mod account;
mod admission;
mod answered;
mod asked;
mod brought;
mod change;
mod deliver;
mod dial;
mod diversion;
mod errand;
mod exchange;
mod failure;
mod forward;
pub mod forwarding;
mod inform;
mod invited;
pub mod io;
mod lamp;
mod leg;
pub mod letter;
mod letterbox;
mod load;
mod local_end;
mod media;
mod messaged;
mod moving;
mod music;
mod negotiate;
pub mod party;
pub mod phone;
mod place;
mod post;
mod privacy;
mod progress;
mod reason;
pub mod record;
mod redirected;
mod refer;
mod refused;
mod release;
mod reoffer;
mod replace;
mod requested;
mod rests;
mod set_up;
mod setting;
mod silence;
mod state;
mod stream;
mod subscribed;
pub mod switch;
mod talk;
mod terms;
mod tone;
mod transfer;
mod trunk;
mod trunks;
pub mod view;
mod watched;
