//! Floor 4: everything that touches the world.
