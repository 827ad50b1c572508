import { z } from 'zod';

/** Where the cell's Redis is, as every process reads it. */
export const redisUrlSetting = {
  env: 'REDIS_URL',
  schema: z
    .string()
    .regex(/^(rediss?|unix):\/\//, 'must begin with redis://, rediss:// or unix://')
    .default('redis://127.0.0.1:6379'),
  describe: 'Redis of this cell: redis://, rediss:// or unix:///path.',
  secret: true,
} as const;
