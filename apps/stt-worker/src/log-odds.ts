/** Log-odds of a probability, in which independent evidence adds up: 0 for 0.5, infinite for what is certain. */
export const logOddsOf = (probability: number): number => Math.log(probability / (1 - probability));

/** The probability of which these are the log-odds. */
export const probabilityOf = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds));
