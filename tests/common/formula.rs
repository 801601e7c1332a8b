//! Numbers that programs in other languages make as well, so that networks with many weights need no file of them.

/// Numbers of 24 bits in [0, 1): a hash of the name (FNV-1a) and the index (the end of MurmurHash3).
pub fn noise(name: &str, count: usize) -> impl Iterator<Item = f64> + use<> {
    let start = name.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0..count as u32).map(move |i| {
        let mut x = i.wrapping_mul(0x9e37_79b1).wrapping_add(start);
        for (shift, factor) in [(16, 0x85eb_ca6b), (13, 0xc2b2_ae35), (16, 1)] {
            x = (x ^ (x >> shift)).wrapping_mul(factor);
        }
        f64::from(x >> 8) / f64::from(1 << 24)
    })
}
