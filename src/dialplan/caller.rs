//! Who a person means when they ask what would happen to a call.

use crate::config::settings::Settings;
use crate::dialplan::plan::Plan;
use crate::dialplan::route::Caller;

impl Plan {
    /// The caller that `from` names, and the number that stands for them: a user's name or number, `trunk:NAME`, or else a
    /// stranger's number or address.
    ///
    /// # Errors
    /// A sentence, where there is no such trunk.
    pub fn caller<'a>(&'a self, settings: &'a Settings, from: &'a str) -> Result<(Caller<'a>, String), String> {
        if let Some(name) = from.strip_prefix("trunk:") {
            let trunk = settings.trunks.iter().find(|trunk| trunk.name == name);
            let trunk =
                trunk.ok_or_else(|| format!("there is no trunk `{name}`; [[trunk]] in the configuration makes one"))?;
            return Ok((Caller::Trunk { name: &trunk.name, country: trunk.country.as_deref() }, String::new()));
        }
        let Some(user) = self.users().dialled(from) else { return Ok((Caller::Stranger, from.to_owned())) };
        let country = user.country.as_deref().or(settings.sip.country.as_deref());
        let number = user.number.clone().unwrap_or_else(|| user.name.clone());
        Ok((Caller::User { name: &user.name, number: user.number.as_deref(), country }, number))
    }
}
