//! The head as a solid, and the flat face of [`Avatar::faces`](crate::data::avatar::Avatar::faces) laid over it.

use tiny_skia::Transform;

use super::costume::Costume;
use super::rig::{Rig, bone};
use super::solid::{Blob, Tube};
use super::space::{Basis, Vector, flat, seen, vector};
use crate::data::avatar::bend::{Bend, Relief};

/// Body units per face unit of a mean head: faces are 0.4 wide in their own units.
const FACE: f32 = 0.495;

/// A head in space. Its own coordinates are those of faces: x to the character's left, y down from the line of the
/// eyes, and z forward.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub origin: Vector,
    pub bone: Basis,
    /// Body units per face unit.
    pub unit: f32,
    /// Skull, cheeks and chin.
    pub skull: Tube,
    pub ears: [Tube; 2],
    /// Turn about its own axis: 0 looks at the camera, positive to the right of the picture.
    pub yaw: f32,
}

impl Head {
    pub fn new(costume: &Costume, rig: &Rig) -> Head {
        let scale = rig.unit * costume.build.head;
        let (bone, unit) = (rig.head, FACE * scale);
        let origin = rig.joints[bone::HEAD] + bone.of(vector(0.0, 0.117, 0.012) * scale);
        let yaw = bone.z.x.atan2(bone.z.z);
        let mut head = Head { origin, bone, unit, skull: Tube::new(&[]), ears: [Tube::new(&[]), Tube::new(&[])], yaw };
        let (shape, eyes) = (&costume.face.head, 0.03);
        let (wide, chin) = (shape.width, shape.chin);
        let jaw = wide * shape.jaw;
        head.skull = head.hull(&[
            ([0.0, -0.075, -0.03], [0.200, 0.215, 0.212]),
            ([0.0, eyes, -0.005], [wide, 0.115, 0.168]),
            ([0.0, 0.118, 0.040], [jaw * 1.09, 0.072, 0.105]),
            ([0.0, chin - 0.031, 0.098], [0.038 - 0.014 * shape.point, 0.031, 0.034]),
        ]);
        head.ears =
            [1.0, -1.0].map(|side| head.hull(&[([side * (wide - 0.004), 0.035, -0.025], [0.019, 0.040, 0.026])]));
        head
    }

    /// A place in the world from one in the head.
    pub fn at(&self, x: f32, y: f32, z: f32) -> Vector {
        self.origin + self.bone.of(vector(x, -y, z) * self.unit)
    }

    /// The hull of ellipsoids given by centre and half axes.
    fn hull(&self, parts: &[([f32; 3], [f32; 3])]) -> Tube {
        let blob = |&([x, y, z], half): &([f32; 3], [f32; 3])| {
            Blob::ellipsoid(self.at(x, y, z), &self.bone, half.map(|h| h * self.unit))
        };
        Tube::new(&parts.iter().map(blob).collect::<Vec<_>>())
    }

    /// How much a direction of the head looks at the camera, −1 to 1.
    pub fn looks(&self, x: f32, y: f32, z: f32) -> f32 {
        self.bone.of(vector(x, -y, z).unit()).z
    }

    /// Coordinates for drawing on the face: where the head is, how it is tilted in the picture and how large it is; and
    /// how the flat face lies on the head that is turned away.
    pub fn placement(&self) -> (Transform, Bend) {
        let middle = seen(self.origin);
        let up = flat(self.bone.y);
        let tilt = up.0.atan2(-up.1);
        let scale = self.unit * middle.scale;
        let placement =
            Transform::from_rotate(tilt.to_degrees()).post_scale(scale, scale).post_translate(middle.at.0, middle.at.1);
        let (s, c) = tilt.sin_cos();
        // From the picture back into upright face coordinates.
        let upright = |v: Vector| {
            let (x, y) = flat(v);
            (x * c + y * s, -x * s + y * c)
        };
        let axes = [upright(self.bone.x), upright(self.bone.y * -1.0), upright(self.bone.z)];
        (placement, Bend::Relief(Relief { axes, yaw: self.yaw }))
    }
}
