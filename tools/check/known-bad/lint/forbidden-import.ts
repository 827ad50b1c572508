// Wrong: this project is tagged as a core library, and the bus is a layer above.
import '@parley/bus';
