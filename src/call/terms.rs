//! What our sessions may use beyond RFC 3261, by whom they are with.

use crate::call::exchange::Exchange;
use crate::config::settings::Trunk as TrunkSettings;
use crate::sip::agent::{Terms, TimerTerms};

/// Option tags that a caller may require: what [`Terms`] settle, Replaces (RFC 3891), and REFER without news (RFC 4488).
pub const EXTENSIONS: [&str; 4] = ["100rel", "timer", "replaces", "norefersub"];

impl Exchange {
    /// Towards a trunk by its settings, towards everybody else by ours.
    pub fn terms(&self, trunk: Option<&str>) -> Terms {
        let sip = &self.settings.sip;
        let trunk = trunk.and_then(|name| self.trunks.by_name(name)).map(|trunk| &trunk.settings);
        Terms {
            prack: trunk.map_or(TrunkSettings::PRACK, |trunk| trunk.prack),
            timer: Some(TimerTerms {
                expires: trunk.and_then(|trunk| trunk.session_expires).unwrap_or(sip.session_expires),
                min: trunk.and_then(|trunk| trunk.min_se).unwrap_or(sip.min_se),
            }),
            probe: sip.dialog_interval,
        }
    }
}
