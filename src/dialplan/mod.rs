//! Floor 2: text → plan; plan and request → route and its explanation. Pure.

pub mod route;
