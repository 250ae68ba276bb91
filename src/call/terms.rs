//! What our sessions may use beyond RFC 3261, by whom they are with.

use crate::call::exchange::Exchange;
use crate::config::settings::Trunk as TrunkSettings;
use crate::sip::agent::Terms;

/// Option tags that a caller may require: what [`Terms`] settle, Replaces (RFC 3891), and REFER without news (RFC 4488).
pub const EXTENSIONS: [&str; 3] = ["100rel", "replaces", "norefersub"];

impl Exchange {
    /// Towards a trunk by its settings, towards everybody else by ours.
    pub fn terms(&self, trunk: Option<&str>) -> Terms {
        let trunk = trunk.and_then(|name| self.trunks.by_name(name)).map(|trunk| &trunk.settings);
        Terms { prack: trunk.map_or(TrunkSettings::PRACK, |trunk| trunk.prack) }
    }
}
