//! Where a picture lands when it is brought to another size: the same for its pixels and for its key points.

use super::manifest::Resize;
use super::poses::KeyPoint;

/// A rectangle in pixels: left, top, width, height.
pub(super) type Rectangle = [u32; 4];

/// What is taken of a picture, and where it lands. What lies outside of the second rectangle is background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub from: Rectangle,
    pub to: Rectangle,
}

impl Placement {
    /// How `resize` brings a picture of `picture` (width, height) to `size`. None for [`Resize::Exact`] and another size.
    pub fn of(resize: Resize, picture: (u32, u32), size: (u32, u32)) -> Option<Placement> {
        let ((w, h), (width, height)) = (picture, size);
        let [from, to] = [[0, 0, w, h], [0, 0, width, height]];
        let wide = u64::from(w) * u64::from(height) >= u64::from(h) * u64::from(width);
        // a·b/c, rounded, 1 to `most`.
        let share = |a: u32, b: u32, c: u32, most: u32| {
            ((f64::from(a) * f64::from(b) / f64::from(c.max(1))).round() as u32).clamp(1, most.max(1))
        };
        match resize {
            Resize::Exact => (picture == size).then_some(Placement { from, to }),
            Resize::Squash => Some(Placement { from, to }),
            Resize::Crop => {
                let (cw, ch) = if wide { (share(h, width, height, w), h) } else { (w, share(w, height, width, h)) };
                Some(Placement { from: [(w.saturating_sub(cw)) / 2, (h.saturating_sub(ch)) / 2, cw, ch], to })
            }
            Resize::Pad => {
                let (tw, th) =
                    if wide { (width, share(h, width, w, height)) } else { (share(w, height, h, width), height) };
                Some(Placement { from, to: [(width - tw) / 2, (height - th) / 2, tw, th] })
            }
            Resize::Mirror if w <= width && h <= height => {
                Some(Placement { from, to: [(width - w) / 2, (height - h) / 2, w, h] })
            }
            Resize::Mirror => Placement::of(Resize::Pad, picture, size),
        }
    }

    /// Where a key point of the picture lands.
    pub fn point(&self, [x, y, known]: KeyPoint) -> KeyPoint {
        let axis = |value: f32, axis: usize| {
            let [start, length] = [f64::from(self.from[axis]), f64::from(self.from[axis + 2].max(1))];
            let [begin, side] = [f64::from(self.to[axis]), f64::from(self.to[axis + 2])];
            (begin + (f64::from(value) - start) * (side / length)) as f32
        };
        [axis(x, 0), axis(y, 1), known]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_by_hand() {
        let of = |resize| Placement::of(resize, (30, 100), (50, 50));
        assert_eq!(of(Resize::Pad).unwrap().to, [17, 0, 15, 50]);
        assert_eq!(of(Resize::Mirror), of(Resize::Pad));
        assert_eq!(Placement::of(Resize::Mirror, (30, 41), (50, 50)).unwrap().to, [10, 4, 30, 41]);
        assert_eq!(of(Resize::Crop).unwrap().from, [0, 35, 30, 30]);
        assert_eq!(of(Resize::Squash).unwrap(), Placement { from: [0, 0, 30, 100], to: [0, 0, 50, 50] });
        assert!(of(Resize::Exact).is_none() && Placement::of(Resize::Exact, (5, 5), (5, 5)).is_some());
        // Three by two into four by one: the whole width, a strip of the height.
        assert_eq!(Placement::of(Resize::Crop, (300, 200), (400, 100)).unwrap().from, [0, 62, 300, 75]);
        assert_eq!(Placement::of(Resize::Pad, (300, 200), (400, 100)).unwrap().to, [125, 0, 150, 100]);
    }

    #[test]
    fn key_points_follow_the_pixels() {
        let placed = |resize, point| Placement::of(resize, (30, 100), (50, 50)).unwrap().point(point);
        assert_eq!(placed(Resize::Pad, [0.0, 0.0, 0.5]), [17.0, 0.0, 0.5]);
        assert_eq!(placed(Resize::Pad, [30.0, 100.0, 1.0]), [32.0, 50.0, 1.0]);
        assert_eq!(placed(Resize::Crop, [15.0, 50.0, 1.0]), [25.0, 25.0, 1.0]);
        assert_eq!(placed(Resize::Crop, [15.0, 20.0, 1.0]), [25.0, -25.0, 1.0]);
        assert_eq!(placed(Resize::Squash, [15.0, 25.0, 1.0]), [25.0, 12.5, 1.0]);
    }
}
