//! What a caller may be told, as the dialplan and the peers' own answers explain it.

use crate::ledger::{Leg, Story};
use crate::office::NOBODY_HOME;
use crate::script::Offer;

/// Every final answer to a refused caller that what happened explains.
pub fn reasons(story: &Story) -> Vec<u16> {
    let mut reasons = match story.offer {
        Offer::Foreign => vec![488],
        Offer::Unreadable => vec![400],
        _ => Vec::new(),
    };
    match story.dialled.as_str() {
        "*62" => reasons.push(500),
        "*99" => reasons.push(603),
        "nobody" => reasons.push(404),
        // Full, silent, or not found.
        dialled if dialled.starts_with(['1', '2', '3', '4']) => reasons.extend([503, 504]),
        dialled if dialled == NOBODY_HOME || dialled == "70" => reasons.push(480),
        dialled if dialled.starts_with('+') => reasons.push(480),
        _ => {}
    }
    // A carrier above its limit.
    if ["acme", "globex"].contains(&story.caller.as_str()) {
        reasons.push(503);
    }
    if ["guesser", "stranger"].contains(&story.caller.as_str()) {
        reasons.extend([401, 403]);
    }
    // It answered and hung up before the caller had acknowledged the early media, without which there is no answer.
    if story.legs.values().any(|leg| leg.answered.is_some() && leg.hung_up.is_some()) {
        reasons.push(480);
    }
    reasons.extend(story.legs.values().map(told));
    reasons
}

/// Why the gateway may end a talk by itself, where nothing goes wrong but what the peers do.
pub const ENDINGS: [&str; 2] = ["the announcement was over", "media not agreed"];

/// How one phone's answer is told to the caller: what was meant for the gateway itself is not passed on.
fn told(leg: &Leg) -> u16 {
    match leg.refused {
        Some(300..=399 | 408) => 480,
        Some(401 | 407 | 503) => 500,
        Some(status) => status,
        // An answer without SDP.
        None if leg.answered.is_some() => 488,
        // It rang until the gateway's patience was over.
        None => 480,
    }
}
