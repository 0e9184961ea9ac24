//! What was probably meant by a word that is not known.

/// The word that was probably meant: two edits away at most, and not most of a short one.
pub fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    /// Longer words are not compared: it costs the product of their lengths.
    const LONGEST: usize = 64;
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    known
        .filter(|other| other.len() <= LONGEST)
        .map(|other| (strsim::levenshtein(other, word), other))
        .min()
        .filter(|(distance, _)| *distance <= 2 && distance * 2 < length.max(2))
        .map(|(_, other)| other)
}
