// Wrong: nobody waits for the promise or handles its failure.
Promise.reject(new Error('lost'));
