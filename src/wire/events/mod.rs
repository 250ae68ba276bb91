//! What subscribers are sent and publishers send: documents ⇄ values.

pub mod dialog_info;
pub mod message_summary;
pub mod pidf;
pub mod reginfo;
