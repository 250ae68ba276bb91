//! Floor 0: time, chance, identifiers. Nothing here touches the world.

pub mod chance;
pub mod ids;
pub mod plain;
pub mod time;
pub mod timers;
