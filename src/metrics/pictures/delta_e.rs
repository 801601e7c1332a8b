//! How different two colours look: CIELAB and CIEDE2000 (Sharma, Wu, Dalal 2005, "The CIEDE2000 Color-Difference Formula").

/// A colour in CIELAB under D65: lightness 0 to 100, and two axes from green to red and from blue to yellow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lab(pub [f64; 3]);

/// White of D65 for an observer of 2°.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];
/// From linear red, green, blue to X, Y, Z.
const TO_XYZ: [[f64; 3]; 3] =
    [[0.412_453, 0.357_580, 0.180_423], [0.212_671, 0.715_160, 0.072_169], [0.019_334, 0.119_193, 0.950_227]];

impl Lab {
    /// Of an sRGB colour, 0 to 255 each (scikit-image's `rgb2lab`).
    pub fn of_rgb(rgb: [f64; 3]) -> Lab {
        let linear = rgb.map(|v| {
            let v = v / 255.0;
            if v > 0.040_45 { ((v + 0.055) / 1.055).powf(2.4) } else { v / 12.92 }
        });
        let mut f = [0.0; 3];
        for ((f, row), white) in f.iter_mut().zip(TO_XYZ).zip(WHITE) {
            let v = row.iter().zip(linear).map(|(a, b)| a * b).sum::<f64>() / white;
            *f = if v > 0.008_856 { v.cbrt() } else { 7.787 * v + 16.0 / 116.0 };
        }
        Lab([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])
    }

    /// ΔE₀₀: about 1 is just seen, 10 is another shade, 50 another colour. 0 for equal colours, symmetric.
    pub fn difference(self, other: Lab) -> f64 {
        let (Lab([l1, a1, b1]), Lab([l2, a2, b2])) = (self, other);
        let mean_chroma = (a1.hypot(b1) + a2.hypot(b2)) / 2.0;
        let g = 0.5 * (1.0 - seventh(mean_chroma));
        let polar = |a: f64, b: f64| {
            let a = a * (1.0 + g);
            let hue = if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) };
            (a.hypot(b), hue)
        };
        let ((c1, h1), (c2, h2)) = (polar(a1, b1), polar(a2, b2));
        let grey = c1 * c2 == 0.0;
        let turn = match h2 - h1 {
            _ if grey => 0.0,
            turn if turn > 180.0 => turn - 360.0,
            turn if turn < -180.0 => turn + 360.0,
            turn => turn,
        };
        let (dl, dc) = (l2 - l1, c2 - c1);
        let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
        let (l, c) = ((l1 + l2) / 2.0, (c1 + c2) / 2.0);
        let h = match h1 + h2 {
            sum if grey => sum,
            sum if (h1 - h2).abs() <= 180.0 => sum / 2.0,
            sum if sum < 360.0 => (sum + 360.0) / 2.0,
            sum => (sum - 360.0) / 2.0,
        };
        let cos = |degrees: f64| degrees.to_radians().cos();
        let t =
            1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0) - 0.2 * cos(4.0 * h - 63.0);
        let bent = (l - 50.0).powi(2);
        let (sl, sc, sh) = (1.0 + 0.015 * bent / (20.0 + bent).sqrt(), 1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
        let rotation = 60.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
        let rt = -2.0 * seventh(c) * rotation.to_radians().sin();
        let (l, c, h) = (dl / sl, dc / sc, dh / sh);
        (l * l + c * c + h * h + rt * c * h).max(0.0).sqrt()
    }
}

/// √(c⁷ / (c⁷ + 25⁷))
fn seventh(chroma: f64) -> f64 {
    let power = chroma.powi(7);
    (power / (power + 25f64.powi(7))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of table 1 of Sharma et al.
    #[test]
    fn pairs_of_the_paper() {
        for (a, b, wanted) in [
            ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
            ([50.0, 3.1571, -77.2803], [50.0, 0.0, -82.7485], 2.8615),
            ([50.0, -1.3802, -84.2814], [50.0, 0.0, -82.7485], 1.0000),
            ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
            ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
            ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
            ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
            ([63.0109, -31.0961, -5.8663], [62.8187, -29.7946, -4.0864], 1.2630),
            ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
        ] {
            let found = Lab(a).difference(Lab(b));
            assert!((found - wanted).abs() < 5e-5, "{a:?} {b:?}: {found} {wanted}");
            assert!((found - Lab(b).difference(Lab(a))).abs() < 1e-9);
        }
    }

    /// scikit-image 0.26, `color.rgb2lab`.
    #[test]
    fn colours_of_scikit_image() {
        for (rgb, wanted) in GOLDEN {
            let Lab(found) = Lab::of_rgb(rgb);
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3), "{rgb:?}: {found:?} {wanted:?}");
        }
    }

    const GOLDEN: [([f64; 3], [f64; 3]); 6] = [
        ([255.0, 255.0, 255.0], [100.000000, -0.002455, 0.004653]),
        ([0.0, 0.0, 0.0], [0.000000, 0.000000, 0.000000]),
        ([255.0, 0.0, 0.0], [53.240588, 80.092308, 67.202751]),
        ([12.0, 200.0, 90.0], [70.955158, -64.820060, 43.065228]),
        ([90.0, 60.0, 200.0], [37.067231, 48.790317, -68.381668]),
        ([3.0, 4.0, 5.0], [1.058172, -0.122525, -0.470430]),
    ];
}
