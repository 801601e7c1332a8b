//! The fused operations against PyTorch's, from tests/fixtures/torch_ops.py.

use tachie::Result;
use tachie::autograd::backward_from;
use tachie::candle_core::Var;
use tachie::ops::activation::Activation;
use tachie::ops::epilogue::{bias_activation, layer_epilogue};
use tachie::ops::fir::{blur, downsample_filtered, upfirdn2d, upsample_filtered};
use tachie::ops::gated::{gated, gated_halves};
use tachie::ops::minibatch::minibatch_deviation;
use tachie::ops::norm::{adaptive_instance_norm, pixel_norm};
use tachie::ops::reduce;
use tachie::ops::spectral::{power_iteration, spectral_norm, spectrally_normalized};

use crate::pytorch::Golden;

#[test]
fn norms_and_epilogues() {
    let leaky = Activation::LeakyRelu(0.2);
    Golden::each_type(|golden| {
        golden.operation("pixel_norm", &["x"], |v| pixel_norm(&v[0], 1e-8));
        golden.operation("adain", &["x", "s", "b"], |v| adaptive_instance_norm(&v[0], &v[1], &v[2], 1e-8));
        golden.operation("bias_leaky", &["x", "b"], |v| bias_activation(&v[0], &v[1], leaky));
        golden.operation("bias_tanh", &["x", "b"], |v| bias_activation(&v[0], &v[1], Activation::Tanh));
        golden.operation("layer_epilogue", &["x", "noise", "strength", "b"], |v| {
            layer_epilogue(&v[0], &v[1], &v[2], &v[3], 0.2, 2f64.sqrt())
        });
        golden.operation("gated", &["x", "gate"], |v| gated(&v[0], &v[1], leaky));
        golden.operation("glu", &["x"], |v| gated_halves(&v[0], Activation::Identity));
        golden.operation("minibatch_deviation", &["x"], |v| minibatch_deviation(&v[0], 3));
        golden.operation("mean_planes", &["x"], |v| reduce::mean_from(&v[0], 2));
        Ok(())
    });
}

#[test]
fn filters() {
    Golden::each_type(|golden| {
        golden.operation("blur", &["x"], |v| blur(&v[0]));
        golden.operation("fir_up", &["x"], |v| upsample_filtered(&v[0], &[0.1, 0.5, 0.3, 0.1]));
        golden.operation("fir_down", &["x"], |v| downsample_filtered(&v[0], &[0.1, 0.5, 0.3, 0.1]));
        golden.operation("upfirdn", &["x"], |v| {
            upfirdn2d(&v[0], [&[1.0, 2.0, -0.5], &[0.5, 0.25, 3.0, 1.0, -1.0]], [2, 3], [3, 2], [[1, 2], [0, 3]])
        });
        Ok(())
    });
}

#[test]
fn one_power_iteration_of_spectral_norm() {
    Golden::each_type(|golden| {
        let weight = Var::from_tensor(&golden.get("spectral.w"))?;
        let (u, v) = (Var::from_tensor(&golden.get("spectral.u0"))?, Var::from_tensor(&golden.get("spectral.v0"))?);
        power_iteration(&weight, &u, &v, 1, 1e-12)?;
        golden.same("spectral.u1", &u);
        golden.same("spectral.v1", &v);
        let normalized = spectrally_normalized(&weight, &u, &v)?;
        golden.same("spectral.y", &normalized);
        let gradients = backward_from(&normalized, &golden.get("spectral.g"))?;
        golden.same("spectral.d_w", gradients.get(&weight).unwrap());
        assert!(gradients.get(&u).is_none() && gradients.get(&v).is_none());
        Ok(())
    });
}

#[test]
fn many_power_iterations_find_the_largest_singular_value() {
    Golden::each_type(|golden| -> Result<()> {
        let weight = golden.get("spectral.w");
        let (u, v) = (Var::from_tensor(&golden.get("spectral.u0"))?, Var::from_tensor(&golden.get("spectral.v0"))?);
        power_iteration(&weight, &u, &v, 2000, 1e-12)?;
        golden.same("spectral.sigma", &spectral_norm(&weight, &u, &v)?.reshape(1)?);
        Ok(())
    });
}
