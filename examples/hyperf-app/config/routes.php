<?php

declare(strict_types=1);

// The controllers have their routes as attributes.
