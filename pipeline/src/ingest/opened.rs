//! Whose session it is, by the session's id alone: `opened/<2 digits>/<hash of the id>/<event>.json`.
//!
//! The facts say the same, but lie in files by the day; to find one there is to read many. Whoever has to tell of a finding
//! now looks here. Created once for each record that opened a session; of several that claim the same id the first counts, as
//! in the view.

use model::Session;
use report::store::{Activity, Store, StoreError};

use crate::sweep::session_of_row;

/// Looks up and notes who opened sessions.
pub struct Opened;

impl Opened {
    fn folder(session_id: &str) -> String {
        let hash = crate::finding::id(&[b"session", session_id.as_bytes()]).0;
        format!("opened/{}/{hash}", &hash[..2])
    }

    /// The note of a record that opened a session: where it lies, and what it says.
    pub(super) fn note(row: &Activity) -> Option<(String, Vec<u8>)> {
        let session = row.session_id.as_ref()?;
        let event = row.event_id.as_deref().unwrap_or_default();
        let event = crate::finding::id(&[b"event", event.as_bytes()]).0;
        let row = Activity { record: None, ..row.clone() };
        let json = serde_json::to_vec(&row).expect("plain rows are JSON");
        Some((format!("{}/{event}.json", Self::folder(session)), json))
    }

    /// The session of this id, as whoever opened it first says.
    pub fn find(store: &Store, session_id: &str) -> Result<Option<Session>, StoreError> {
        let mut found: Option<Session> = None;
        for entry in store.list(&Self::folder(session_id))? {
            let Some(bytes) = store.get(&entry.path)? else { continue };
            let row: Activity = serde_json::from_slice(&bytes)
                .map_err(|source| StoreError::Json { path: entry.path, source })?;
            let Some(session) = session_of_row(&row) else { continue };
            let is_earlier = found.as_ref().is_none_or(|known| {
                (session.start, &session.event_id) < (known.start, &known.event_id)
            });
            if is_earlier {
                found = Some(session);
            }
        }
        Ok(found)
    }
}
