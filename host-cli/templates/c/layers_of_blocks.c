
/* Four outputs at a time: (sum * multiplier + 2^23) >> 24 within 0..127, which is the ReLU. */
static void @_hidden(const @_inputs *x, LOWconst @_weight *w, const int32_t *biases,
                     const MULTIPLIER *multipliers, uint32_t outputs, @_inputs *y)
{
    int32_t sums[4];
    uint32_t o;
    @_start(y);
    for (o = 0; o < outputs; o += 4, w += @_step(x)) {
        const mve_pred16_t there = vctp32q(outputs - o);
        int32x4_t z;
        FOUR(x, LOW_OFw, sums);
        z = vshlq_n_s32(vaddq_s32(vldrwq_s32(sums), vldrwq_z_s32(biases + o, there)), 8);
        z = vrmulhq_s32(z, vreinterpretq_s32_u32(MULTIPLIERS(multipliers + o, there)));
        z = vminq_s32(vmaxq_s32(z, vdupq_n_s32(0)), vdupq_n_s32(127));
        vstrbq_p_u32(y->bytes + o, vreinterpretq_u32_s32(z), there);
    }
    y->count = outputs;
    @_end(y);
}
