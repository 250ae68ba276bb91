//! Floor 3: calls. `switch` is the way in; `exchange` is what all calls share; `state` is what a call is, and there is a file
//! or a room for each thing that happens to it:
//! - `admission`: who asks, and may they.
//! - `set_up`: from the INVITE to the answer: `invited`, `dial`, `progress`, `answered`, `refused`, `redirected`, `forward`.
//! - `talk`: `reoffer`, `change`, `inform`, `asked`, `music`, `one_way`.
//! - `transfer`: what happens between two calls, by `errand`s: `refer`, `replace`, `moving`.
//! - `release`: the end.
//!
//! Calls that lead to the same conference meet in a `room`, of which a `tape` may be made.
//! What a call is made of: `leg`, `media` (its `stream`s, and how they are `negotiate`d), `party`, `trunk`, `account`.
//! Where one way to a place fails, the next `hop` is tried. A text is a `letter`. Who is watched lights a `lamp`.
//! How calls sound is in `listening`. What the machine can bear is in `load` (signalling) and `capacity` (media).

pub mod account;
mod admission;
mod capacity;
mod errand;
mod exchange;
mod failure;
mod hop;
pub mod io;
mod lamp;
mod leg;
pub mod letter;
pub mod listening;
mod load;
mod media;
pub mod party;
pub mod phone;
mod reason;
pub mod record;
mod release;
mod requested;
pub mod room;
mod set_up;
mod state;
pub mod switch;
mod talk;
pub mod tape;
mod terms;
mod transfer;
mod trunk;
mod trunks;
pub mod view;
