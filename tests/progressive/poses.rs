//! Pose maps that are made, and those that are not.

use tachie::Result;
use tachie::candle_core::{DType, Tensor};
use tachie::nn::progressive::Poses;
use tachie::ops::max_pool::{Rounding, max_pool2d};
use tachie::ops::pose::{Levels, Pixels, add_pose_response};

use crate::{difference, normal, numbers, points};

/// The maps of a resolution are what maximum pooling makes of those at full size.
#[test]
fn maps_are_pooled_maps() {
    let poses = Poses::new(&points(3, 20, 64), 64).unwrap();
    let mut maps = poses.maps(64).unwrap();
    for resolution in [32, 16, 8, 4] {
        maps = max_pool2d(&maps, 2, 2, 0, Rounding::Down).unwrap();
        assert_eq!(numbers(&poses.maps(resolution).unwrap()), numbers(&maps), "{resolution} px");
    }
    let total: f64 = numbers(&poses.maps(64).unwrap()).iter().filter(|value| **value > 0.0).sum();
    assert!((1.0..60.0).contains(&total), "{total} points are known");
}

/// In both float types, with kernels of 3 and of 1, at full size and below: values and gradients.
#[test]
fn stamps_are_the_convolution_of_the_maps() {
    for (dtype, bound) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        let other = Levels { ground: 0.25, point: 4.0 };
        for (k, resolution, levels) in [
            (3, 32, Levels::default()),
            (3, 4, Levels::default()),
            (1, 16, Levels::default()),
            (5, 4, Levels::default()),
            (3, 16, other),
            (3, 4, Levels { ground: 0.0, ..other }),
        ] {
            let poses = Poses::new(&points(2, 20, 32), 32).unwrap().in_maps_of(levels);
            let weight = normal("weight", &[5, 20, k, k]).to_dtype(dtype).unwrap();
            let x = normal("x", &[2, 5, resolution, resolution]).to_dtype(dtype).unwrap();
            let upstream = normal("upstream", x.dims()).to_dtype(dtype).unwrap();
            let [stamps, dense] = [true, false].map(|stamped| {
                let weight = tachie::candle_core::Var::from_tensor(&weight).unwrap();
                let y = match stamped {
                    true => poses.add_response(&x, &weight).unwrap(),
                    false => (&x + poses.dense_response(&weight, resolution).unwrap()).unwrap(),
                };
                let gradients = tachie::autograd::backward_from(&y, &upstream).unwrap();
                (y, gradients.get(&weight).unwrap().clone())
            });
            let errors = [difference(&stamps.0, &dense.0), difference(&stamps.1, &dense.1)];
            println!("{dtype:?}, kernel {k}, {resolution} px: {errors:?}");
            assert!(errors.iter().all(|error| *error < bound), "{dtype:?}, kernel {k}, {resolution} px: {errors:?}");
        }
    }
}

#[test]
fn poses_that_do_not_fit_are_refused() {
    let poses = Poses::new(&points(2, 3, 16), 16).unwrap();
    let x = normal("x", &[2, 4, 16, 16]);
    let refused = |result: Result<Tensor>, word: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(poses.add_response(&x, &normal("w", &[4, 2, 3, 3])), "[4, 3, k, k]");
    refused(poses.add_response(&normal("y", &[3, 4, 16, 16]), &normal("w", &[4, 3, 3, 3])), "[2, C, 16, 16]");
    refused(poses.maps(32), "up to 16 px");
    let pixels = Pixels::new(&points(1, 2, 4), [4, 4]).unwrap();
    refused(add_pose_response(&normal("z", &[1, 4, 4, 4]), &normal("w", &[4, 2, 2, 2]), &pixels), "odd");
    assert!(Pixels::new(&normal("p", &[2, 2]), [4, 4]).unwrap_err().to_string().contains("[N, M, 3]"));
    assert!(Poses::new(&normal("p", &[2, 3]), 16).is_err() && Poses::new(&points(1, 1, 8), 12).is_err());
}
