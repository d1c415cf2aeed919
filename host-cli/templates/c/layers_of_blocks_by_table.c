
/* Four outputs at a time: table[128 + t] with t = (sum * multiplier + 2^23) >> 24 within -128..127. */
static void @_by_table(const @_inputs *x, LOWconst @_weight *w, const int32_t *biases,
                       const MULTIPLIER *multipliers, const uint8_t *table, uint32_t outputs, @_inputs *y)
{
    int32_t sums[4];
    uint32_t o;
    @_start(y);
    for (o = 0; o < outputs; o += 4, w += @_step(x)) {
        const mve_pred16_t there = vctp32q(outputs - o);
        int32x4_t t;
        FOUR(x, LOW_OFw, sums);
        t = vshlq_n_s32(vaddq_s32(vldrwq_s32(sums), vldrwq_z_s32(biases + o, there)), 8);
        t = vrmulhq_s32(t, vreinterpretq_s32_u32(MULTIPLIERS(multipliers + o, there)));
        t = vaddq_s32(vminq_s32(vmaxq_s32(t, vdupq_n_s32(-128)), vdupq_n_s32(127)), vdupq_n_s32(128));
        vstrbq_p_u32(y->bytes + o, vldrbq_gather_offset_z_u32(table, vreinterpretq_u32_s32(t), there), there);
    }
    y->count = outputs;
    @_end(y);
}
