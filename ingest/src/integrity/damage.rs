//! Whatever the bytes are, nothing panics, and nothing that was changed is sound.

use super::tests::{BUCKET, Memory, fixture, gunzip, gzip};
use super::*;

#[test]
fn no_byte_of_any_content_can_be_changed() {
    let good = Memory::new("good");
    for (key, object) in &good.objects {
        let content = gunzip(&object.bytes);
        for at in (0..content.len()).step_by(41) {
            let mut changed = content.clone();
            changed[at] ^= 1;
            let mut bucket = good.clone();
            bucket.objects.get_mut(key).unwrap().bytes = gzip(&changed);
            assert!(!bucket.verify(Some(BUCKET)).is_sound(), "{key} at {at}");
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let good = Memory::new("good");
    let mut state = 7_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let keys: Vec<&String> = good.objects.keys().collect();
    let listing = fixture("good")["keys"].to_string();
    for round in 0..400 {
        let mut bucket = if round % 2 == 0 { good.clone() } else { good.clone().copied() };
        let key = bucket.key(keys[random(keys.len())]);
        let object = bucket.objects.get_mut(&key).unwrap();
        let mut content = if random(2) == 0 { gunzip(&object.bytes) } else { object.bytes.clone() };
        let mut listing = listing.clone().into_bytes();
        for bytes in [&mut content, &mut listing] {
            for _ in 0..=random(3) {
                if bytes.is_empty() {
                    break;
                }
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                    1 => drop(bytes.remove(at)),
                    _ => bytes.truncate(at.max(1)),
                }
            }
        }
        let _ = Digest::parse(&key, &content);
        let _ = PublicKeys::read(&listing);
        object.bytes = if random(2) == 0 { gzip(&content) } else { content };
        bucket.verify((round % 2 == 0).then_some(BUCKET));
    }
}
