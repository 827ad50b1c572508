/** How a Redis is run: by a local process, or in a container. */
export interface RedisHost {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  dispose(): Promise<void>;
}
